-- The life of an alert: its states, the visits and emergency services that it needs, and what closing it takes.

alter table alerts drop constraint alerts_state_check;
alter table alerts add constraint alerts_state_check check (state in (
    'raised', 'claimed', 'contacting', 'assessed', 'acting', 'watching', 'safe', 'wrap-up', 'closed', 'reviewed'));
alter table alerts drop constraint open_has_a_deadline;
alter table alerts add constraint open_has_a_deadline check ((closed_at is null) = (due_at is not null));
alter table alerts add constraint closed_has_a_time check ((closed_at is null) = (state not in ('closed', 'reviewed')));
alter table alerts drop constraint claimed_has_an_owner;
alter table alerts add constraint claimed_has_an_owner
    check (state in ('raised', 'closed', 'reviewed') or (claimed_by is not null and claimed_at is not null));
alter table alerts drop constraint closed_is_explained;
alter table alerts add constraint closed_is_explained
    check (closed_at is null or (cause is not null and confirmed_by is not null and cardinality(outcomes) > 0));
alter table alerts drop constraint past_is_closed;
alter table alerts add constraint past_is_closed check (past_case is null or closed_at is not null);

drop index alerts_one_open, alerts_queue, alerts_due;
create unique index alerts_one_open on alerts (case_key) where closed_at is null;
create index alerts_queue on alerts (priority, raised_at) where closed_at is null;
create index alerts_due on alerts (due_at) where closed_at is null;

alter table alerts add column spoken_at    timestamptz;   -- the person's own voice was first heard
alter table alerts add column attended_at  timestamptz;   -- staff last did something about this alert, as far as `missed` knows
alter table alerts add column floor_since  timestamptz;   -- the person is on the floor, since then as far as is known
alter table alerts add column lifted_at    timestamptz;   -- and is up again
alter table alerts add column safe_at      timestamptz;   -- somebody confirmed that the person is safe; a new alarm unsays it
alter table alerts add column missed       smallint not null default 0; -- deadlines in a row for which nobody did anything
alter table alerts add column missed_at    timestamptz;   -- the last of them
alter table alerts add column wrap_up      jsonb;         -- what the owner has written up before closing
alter table alerts add column wrapped_up_at timestamptz;
update alerts set safe_at = claimed_at where state = 'safe';
alter table alerts add constraint safe_is_confirmed check (state not in ('safe', 'wrap-up') or (safe_at is not null and confirmed_by is not null));
update alerts set attended_at = claimed_at where claimed_at is not null and closed_at is null;

-- Silence is closed by two people, or not at all (2012 FAI 7; Barratt, 2014).
alter table alerts add column agreed_by  text references staff (username);
alter table alerts add column agreed_why text;
alter table alerts add constraint two_people_agree check (
    confirmed_by is distinct from 'two-people'
    or (agreed_by is not null and agreed_by is distinct from claimed_by and coalesce(agreed_why, '') <> ''));

-- What a second person has agreed to, before the owner closes: that a case without contact may be closed.
create table agreements (
    id       bigint generated always as identity primary key,
    alert_id bigint not null references alerts,
    by       text not null references staff (username),
    at       timestamptz not null,
    why      text not null check (why <> ''),
    ended_at timestamptz                          -- a new alarm came, or the alert was closed: it does not count any more
);
create unique index agreements_one_open on agreements (alert_id) where ended_at is null;

-- What an operator found out about the need.
create table assessments (
    id          bigint generated always as identity primary key,
    alert_id    bigint not null references alerts,
    by          text not null references staff (username),
    at          timestamptz not null,
    cause       text not null,                    -- as it seems now; the cause that counts is given at the end
    on_floor    boolean not null,
    floor_since timestamptz,                      -- as the person says; null: since the alarm
    red_flags   text[] not null default '{}',
    answers     jsonb not null default '{}',      -- of the script: question to answer
    decision    text not null check (decision in ('reassure', 'contact', 'visit', 'emergency-service', 'watch')),
    reason      text not null default ''
);
create index assessments_by_alert on assessments (alert_id, id);

-- Emergency services that were called, each with its own clock.
create table emergency_calls (
    id          uuid primary key,
    alert_id    bigint not null references alerts,
    service     text not null check (service in ('ambulance', 'fire', 'police')),
    reference   text not null default '',         -- the service's own
    called_by   text not null references staff (username),
    called_at   timestamptz not null,
    eta_at      timestamptz,
    access_told boolean not null default false,
    on_line     text not null default '',         -- who stays on the line with the person
    state       text not null check (state in ('awaited', 'at-scene', 'ended')),
    due_at      timestamptz,                      -- when it is asked about again
    arrived_at  timestamptz,
    ended_at    timestamptz,
    outcome     text check (outcome in ('attended', 'conveyed', 'stood-down')),
    taken_to    text not null default '',
    constraint under_way_has_a_deadline check ((state = 'ended') = (due_at is null)),
    constraint an_end_has_an_outcome    check ((state = 'ended') = (outcome is not null) and (state = 'ended') = (ended_at is not null)),
    constraint who_came_has_arrived     check (state <> 'at-scene' or arrived_at is not null),
    constraint nobody_attends_from_afar check (outcome is null or outcome = 'stood-down' or arrived_at is not null)
);
create index emergency_calls_by_alert on emergency_calls (alert_id);
create index emergency_calls_due on emergency_calls (due_at) where due_at is not null;

-- A responder's visit, each with its own clock. Its steps are in visit_steps.
create table visits (
    id           uuid primary key,
    alert_id     bigint not null references alerts,
    responder    text not null check (responder <> ''), -- who goes: a member of staff's user name, or a name
    second       text not null default '',        -- and with whom; '' goes alone
    requested_by text not null references staff (username),
    requested_at timestamptz not null,
    state        text not null check (state in (
        'requested', 'accepted', 'refused', 'en-route', 'arrived', 'no-access', 'access', 'checked', 'lifted',
        'not-lifted', 'left', 'reported', 'cancelled')),
    due_at       timestamptz,                     -- when the next step is overdue
    eta_at       timestamptz,
    arrived_at   timestamptz,
    left_at      timestamptz,
    missed       smallint not null default 0,     -- deadlines in a row at which nothing was heard
    constraint under_way_has_a_deadline
        check ((state in ('refused', 'reported', 'cancelled')) = (due_at is null)),
    constraint who_is_inside_has_arrived
        check (arrived_at is not null or state not in ('arrived', 'no-access', 'access', 'checked', 'lifted', 'not-lifted')),
    constraint gone_has_a_time check (state not in ('left', 'reported') or left_at is not null)
);
create index visits_by_alert on visits (alert_id);
create index visits_due on visits (due_at) where due_at is not null;

create table visit_steps (
    id       bigint generated always as identity primary key,
    visit_id uuid not null references visits,
    at       timestamptz not null,
    by       text not null,
    state    text not null,
    detail   jsonb not null default '{}'
);
create index visit_steps_by_visit on visit_steps (visit_id, id);
create trigger visit_steps_append_only before update or delete on visit_steps
    for each row execute function refuse_change();
create trigger visit_steps_no_truncate before truncate on visit_steps
    for each statement execute function refuse_change();

-- Nobody leaves before the ambulance has come: inquiries name it.
create function nobody_leaves_before_the_ambulance() returns trigger language plpgsql as $$
begin
    if new.state in ('left', 'reported', 'cancelled') and old.state in ('arrived', 'no-access', 'access', 'checked', 'lifted', 'not-lifted')
       and exists (select 1 from emergency_calls where alert_id = new.alert_id and service = 'ambulance' and state = 'awaited') then
        raise exception 'an ambulance is awaited: stay until the crew has taken over' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger nobody_leaves_before_the_ambulance before update of state on visits
    for each row execute function nobody_leaves_before_the_ambulance();

-- Nothing is closed while help is under way.
create function closed_when_help_has_ended() returns trigger language plpgsql as $$
begin
    if exists (select 1 from emergency_calls where alert_id = new.id and state <> 'ended') then
        raise exception 'an emergency service is still under way' using errcode = 'check_violation';
    end if;
    if exists (select 1 from visits where alert_id = new.id and state not in ('refused', 'left', 'reported', 'cancelled')) then
        raise exception 'a visit is still under way' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger closed_when_help_has_ended before update of closed_at on alerts
    for each row when (old.closed_at is null and new.closed_at is not null) execute function closed_when_help_has_ended();

-- A closed alert that a second person has looked at.
create table reviews (
    id       bigint generated always as identity primary key,
    alert_id bigint not null unique references alerts,
    by       text not null references staff (username),
    at       timestamptz not null,
    score    smallint not null check (score between 0 and 100),
    words    text not null check (words <> '')
);

-- Messages go by more than one way.
alter table messages drop constraint messages_channel_check;
alter table messages add constraint messages_channel_check check (channel in ('sms', 'email', 'push', 'voice'));
alter table messages drop constraint messages_body_check;
alter table messages add constraint messages_body_check
    check (body <> '' and char_length(body) <= case channel when 'sms' then 160 else 2000 end);
