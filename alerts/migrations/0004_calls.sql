-- Calls are made on a telephone; what is kept is whom, when, for how long, and what was heard.

create table calls (
    id         uuid primary key,
    alert_id   bigint not null references alerts,
    line       text not null check (line in ('landline', 'mobile', 'contact')),
    contact_id uuid references contacts,
    whom       text not null check (whom <> ''),
    started_by text not null references staff (username),
    started_at timestamptz not null,
    end_by     timestamptz,                    -- a call that nobody ends is taken as ended then
    ended_at   timestamptz check (ended_at >= started_at),
    result     text check (result in ('spoke', 'heard-something', 'silence', 'no-answer', 'line-failed', 'not-recorded')),
    words      text not null default '',
    constraint a_contact_is_named           check ((line = 'contact') = (contact_id is not null)),
    constraint a_running_call_has_a_deadline check (ended_at is not null or end_by is not null),
    constraint an_ended_call_has_a_result   check ((ended_at is null) = (result is null))
);
-- Nobody talks on two telephones.
create unique index calls_one_at_a_time on calls (started_by) where ended_at is null;
create index calls_by_alert on calls (alert_id, started_at);
create index calls_due on calls (end_by) where ended_at is null;
