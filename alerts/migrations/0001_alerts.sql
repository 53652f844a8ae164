-- Alerts: cases for people. What must never be true is a constraint here.

create table alerts (
    id           bigint generated always as identity primary key,
    -- Whose case it is: 'person:ID', 'technical:HOME', 'device:HOME:NAME' (not assigned), 'test:ALARM'.
    case_key     text not null,
    person_id    uuid references people,             -- null where it is not known whose alarm it is
    home_id      uuid not null references homes,
    hub          text not null references hubs (name), -- the hub to speak through
    kind         text not null,                      -- the gravest alarm's
    priority     smallint not null check (priority between 1 and 4),
    state        text not null check (state in ('raised', 'claimed', 'safe', 'closed')),
    reason       text not null,                      -- which rule raised it, on what evidence, in a sentence
    raised_at    timestamptz not null,
    waiting_since timestamptz not null,              -- when it last began to wait for an operator
    due_at       timestamptz,                        -- when something happens by itself
    step         smallint not null default 0,        -- how far the unclaimed ladder has gone
    claimed_by   text references staff (username),
    claimed_at   timestamptz,
    first_claimed_at timestamptz,                    -- the answer, for the KPIs
    alarm_count  integer not null default 0,
    version      integer not null default 1,         -- every change names the version it saw
    closed_at    timestamptz,
    cause        text,
    outcomes     text[] not null default '{}',
    confirmed_by text,
    how          text,
    constraint open_has_a_deadline  check (state = 'closed' or due_at is not null),
    constraint claimed_has_an_owner check (state in ('raised', 'closed') or (claimed_by is not null and claimed_at is not null)),
    constraint raised_has_no_owner  check (state <> 'raised' or claimed_by is null),
    constraint closed_is_explained  check (state <> 'closed' or (closed_at is not null and due_at is null and cause is not null
                                           and confirmed_by is not null and cardinality(outcomes) > 0))
);
-- One open alert per person, however often the pendant is pressed.
create unique index alerts_one_open on alerts (case_key) where state <> 'closed';
create index alerts_queue on alerts (priority, raised_at) where state <> 'closed';
create index alerts_due on alerts (due_at) where state <> 'closed';
create index alerts_by_person on alerts (person_id, raised_at);
create index alerts_by_home on alerts (home_id, raised_at);

-- Every alarm has exactly one place in exactly one alert.
create table alert_alarms (
    alarm_id  uuid primary key references alarms,
    alert_id  bigint not null references alerts,
    joined_at timestamptz not null
);
create index alert_alarms_by_alert on alert_alarms (alert_id);

create table alert_log (
    id       bigint generated always as identity primary key,
    alert_id bigint not null references alerts,
    at       timestamptz not null,
    who      text not null,                          -- a username, or 'system', 'device', 'wearer'
    what     text not null check (what in (
        'raised', 'alarm-joined', 'repeated', 're-sounded', 'escalated-supervisor', 'escalated-second-site', 'breached',
        'claimed', 'claim-expired', 'released', 'taken-over', 'note', 'contact-tried', 'contact-answered', 'assessed',
        'notified', 'notify-failed', 'answered', 'dispatched', 'visit', 'emergency-service', 'welfare-due', 'announced',
        'safe', 'wrapped-up', 'closed', 'reviewed', 'reopened', 'corrected')),
    detail   jsonb not null default '{}'
);
create index alert_log_by_alert on alert_log (alert_id, id);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
end $$;
create trigger alert_log_append_only before update or delete on alert_log
    for each row execute function refuse_change();
create trigger alert_log_no_truncate before truncate on alert_log
    for each statement execute function refuse_change();

-- The feed of the screens. `n` is taken from one counter row inside the changing transaction, so numbers appear in the
-- order of commits; an identity column would let a reader pass a number that is still to be committed.
create table alert_event_counter (only_row boolean primary key default true check (only_row), n bigint not null);
insert into alert_event_counter (n) values (0);
create table alert_events (
    n        bigint primary key,
    alert_id bigint not null references alerts,
    at       timestamptz not null
);

-- Messages to contacts: written in the transaction that decides them, sent afterwards.
create table messages (
    id          uuid primary key,
    alert_id    bigint not null references alerts,
    contact_id  uuid not null references contacts,
    channel     text not null check (channel in ('sms')),
    recipient   text not null,
    body        text not null check (char_length(body) between 1 and 160),
    -- One message per alert, contact and step, however often the step is tried.
    idempotency_key text not null unique,
    state       text not null check (state in ('pending', 'sending', 'sent', 'failed')),
    attempts    smallint not null default 0,
    next_try_at timestamptz,
    created_at  timestamptz not null,
    sent_at     timestamptz,
    failure     text,
    constraint unfinished_has_a_deadline check (state in ('sent', 'failed') or next_try_at is not null)
);
create index messages_due on messages (next_try_at) where state in ('pending', 'sending');

-- Commands to hubs: likewise.
create table commands (
    id          uuid primary key,
    hub         text not null references hubs (name),
    kind        text not null,
    text        text,
    alarm_id    uuid references alarms,
    alert_id    bigint references alerts,
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    sent_at     timestamptz
);
create index commands_unsent on commands (created_at) where sent_at is null;
