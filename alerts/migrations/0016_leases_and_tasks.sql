-- Screens that are connected, so that an alert whose operator's screen is lost goes back to the queue; and dated tasks.

-- One row for each live event stream of somebody who is logged in. `seen_at` is brought up to date by the dashboard's process
-- while the stream is open; a stream that has ended says so.
create table consoles (
    id        uuid primary key,
    username  text not null references staff (username),
    opened_at timestamptz not null,
    seen_at   timestamptz not null check (seen_at >= opened_at),
    closed_at timestamptz check (closed_at >= opened_at)
);
create index consoles_by_user on consoles (username, seen_at);
create index consoles_by_time on consoles (seen_at);

-- From whom a waiting alert was taken because their screen was lost; nobody's any more once somebody has it.
alter table alerts add column was_with text references staff (username);
create function who_has_it_has_it() returns trigger language plpgsql as $$
begin
    new.was_with := null;
    return new;
end $$;
create trigger who_has_it_has_it before insert or update of claimed_by on alerts
    for each row when (new.claimed_by is not null and new.was_with is not null) execute function who_has_it_has_it();
alter table alerts add constraint was_with_waits check (was_with is null or claimed_by is null);

-- Work for a day and a time, not a note: made by a rule or by hand, and ended by whoever does it, or with its reason.
create table tasks (
    id          bigint generated always as identity primary key,
    kind        text not null check (kind in (
        'by-hand', 'follow-up', 'away-over', 'kit-fault', 'keys-back', 'kit-back', 'no-answer', 'untested', 'test-failed',
        'rota-gap', 'plan-problem', 'over-budget')),
    key         text not null check (key <> ''),  -- the instance of the reason, such as 'kit-fault:STATE'
    person_id   uuid references people,
    home_id     uuid references homes,
    alert_id    bigint references alerts,
    words       text not null check (char_length(words) between 1 and 1000),
    made_at     timestamptz not null,
    made_by     text not null check (made_by <> ''),  -- a username, or 'system'
    due_at      timestamptz not null,
    breached_at timestamptz,                          -- found overdue, and dealt with as that
    done_at     timestamptz,
    done_by     text check (done_by <> ''),
    done_how    text check (char_length(done_how) between 1 and 1000),
    constraint an_end_is_explained check ((done_at is null) = (done_by is null) and (done_at is null) = (done_how is null))
);
create unique index tasks_one_open on tasks (key) where done_at is null;
create index tasks_by_key on tasks (key);
create index tasks_due on tasks (due_at) where done_at is null;
create index tasks_by_person on tasks (person_id) where person_id is not null;
create index tasks_by_alert on tasks (alert_id) where alert_id is not null;
create index tasks_by_end on tasks (done_at) where done_at is not null;

-- Contacts are told of a kit fault, and that it is over.
alter table messages drop constraint if exists messages_purpose_check;
alter table messages add constraint messages_purpose_check check (purpose in (
    'ask', 'going', 'over', 'invitation', 'test', 'next', 'late', 'round', 'there', 'hospital', 'information', 'closing'));
alter table messages drop constraint if exists only_some_have_no_alert;
alter table messages add constraint only_some_have_no_alert
    check (alert_id is not null or purpose in ('invitation', 'test', 'information'));

-- A kit fault that is not put right by its day is said in the queue.
alter table findings drop constraint if exists findings_rule_check;
alter table findings add constraint findings_rule_check check (rule in (
    'no-movement', 'not-back', 'not-up', 'hub-silent', 'device-silent', 'hub-restored', 'device-restored', 'hub-crowds',
    'kit-fault-overdue'));
