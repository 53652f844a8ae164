-- What arrived. An alarm is kept whatever is wrong with it; only readings are partitioned by time.

create table alarms (
    id           uuid primary key,
    hub          text not null references hubs (name),
    given_id     text,                        -- what the hub called it; null where no id could be read
    seq          bigint,
    device       text not null,
    kind         text not null,               -- `unknown` where it could not be read
    at           timestamptz,                 -- when it happened, by the device's clock; null where not readable
    clock_synced boolean not null,
    test         boolean not null,
    location     text,
    evidence     jsonb not null,
    doubts       text[] not null,             -- what was wrong with it, in words
    raw          bytea,                       -- the bytes, kept where there is any doubt
    content_hash bytea not null,              -- sha256 of the content: tells a repeat from a contradiction
    received_at  timestamptz not null,
    repeats      integer not null default 0,  -- how often the same one came again
    unique (hub, given_id)
);
create index alarms_by_hub on alarms (hub, received_at);

-- Alarms that are in no alert yet. Written with the alarm, deleted with its place in an alert: both in one transaction.
create table alarms_waiting (
    alarm_id    uuid primary key references alarms,
    received_at timestamptz not null
);
create index alarms_waiting_oldest on alarms_waiting (received_at);

-- One row for each hub, device and measure, so that a reading is small.
create table series (
    id      integer generated always as identity primary key,
    hub     text not null references hubs (name),
    device  text not null,
    measure text not null,
    unique (hub, device, measure)
);

create table readings (
    series_id   integer not null,
    at          timestamptz not null,
    value       double precision not null,    -- booleans are 1 and 0
    received_at timestamptz not null,
    primary key (series_id, at)
) partition by range (at);
create table readings_default partition of readings default;   -- so that no time is refused

create table hub_states (
    hub         text primary key references hubs (name),
    online      boolean not null,
    session     bigint not null,
    firmware    text,
    mains       boolean,
    battery     double precision,             -- %
    network     text,
    outbox      bigint,                       -- messages not yet sent
    heartbeat_s double precision,             -- seconds
    stated_at   timestamptz,                  -- by the hub's clock
    received_at timestamptz not null          -- by ours
);

create table command_results (
    command_id  text not null,
    hub         text not null references hubs (name),
    ok          boolean not null,
    detail      text not null,
    received_at timestamptz not null,
    primary key (hub, command_id)
);

-- What could not be understood, kept where an engineer sees it.
create table unreadable (
    id          bigint generated always as identity primary key,
    hub         text,
    topic       text not null,
    payload     bytea not null,               -- up to 64 KiB
    size_bytes  integer not null,             -- of the whole payload
    reason      text not null,
    received_at timestamptz not null
);
create index unreadable_by_time on unreadable (received_at);
