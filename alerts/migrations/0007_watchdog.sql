-- The watchdog: its own home, hub and presses; what it shouts about; whom it told. And what the auditor reads by time.

-- The service's own test home is in no council, and so in no council's figures. Nobody can log in as its hub, which has no
-- secret (telecare/register/own.py).
alter table homes alter column council_id drop not null;
alter table homes add constraint only_our_own_has_no_council
    check (council_id is not null or id = '7e1eca4e-0000-7000-8000-000000000001');
alter table hubs alter column secret_hash drop not null;
alter table hubs add constraint only_our_own_has_no_secret check (secret_hash is not null or name = 'telecare-watchdog');

-- Each test press and what became of it. Lengths are seconds from the press; null where that step was not seen in time.
create table watchdog_presses (
    id         uuid primary key,                -- the alarm's
    pressed_at timestamptz not null,
    receipt_s  double precision,                -- the service said `stored`
    alert_s    double precision,                -- its alert was raised, written down, closed, and numbered for the screens
    shown_s    double precision,                -- the dashboard answered, and had read that number
    missing    text not null default '',        -- the first step that was not seen, in words; '' when all were
    constraint arrived_means_every_step
        check (missing <> '' or (receipt_s is not null and alert_s is not null and shown_s is not null))
);
create index watchdog_presses_by_time on watchdog_presses (pressed_at);

-- What is wrong with the service. `grave`: alarms may not be reaching people now.
create table troubles (
    id       bigint generated always as identity primary key,
    key      text not null check (key <> ''),
    words    text not null check (words <> ''),
    advice   text not null,
    grave    boolean not null,
    begun_at timestamptz not null,
    ended_at timestamptz check (ended_at >= begun_at),
    told_at  timestamptz                        -- when the engineer on call was last told
);
create unique index troubles_one_open on troubles (key) where ended_at is null;
create index troubles_by_time on troubles (begun_at);

-- What the engineer on call was told.
create table oncall_messages (
    id       uuid primary key,
    about    text not null check (about in ('trouble', 'clear')),
    body     text not null check (body <> ''),
    made_at  timestamptz not null,
    attempts integer not null check (attempts > 0),
    taken_at timestamptz,                       -- null: nobody has taken it yet
    failure  text not null default ''
);
create index oncall_messages_by_time on oncall_messages (made_at);

-- When each service worked without a break. A step that came due while the engine stood still is late from its return.
create table service_runs (
    service    text not null,
    well_since timestamptz not null,
    seen_until timestamptz not null check (seen_until >= well_since),
    primary key (service, well_since)
);

-- Rows come in the order of time: a summary of each range of pages finds the newest ones, and costs writers next to nothing.
create index alarms_times on alarms using brin (received_at) with (pages_per_range = 16, autosummarize = on);
create index alert_log_times on alert_log using brin (at) with (pages_per_range = 16, autosummarize = on);
create index alert_events_times on alert_events using brin (at) with (pages_per_range = 16, autosummarize = on);
