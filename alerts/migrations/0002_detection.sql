-- Detection and supervision: what was last seen, what was found, who is silent.

-- What was last seen of the people in a home. Folded from the feed of readings; later instants win, in whatever order they come.
create table home_seen (
    home_id     uuid primary key references homes,
    moved_at    timestamptz,                   -- the last movement inside
    moved_where text not null default '',
    up_at       timestamptz,                   -- the last sign of somebody being up: out of bed, or about in another room
    up_where    text not null default '',
    door_at     timestamptz,                   -- the last use of a door that leads outside
    bed_at      timestamptz,                   -- the last word of a bed sensor,
    bed_in      boolean not null default false -- and whether somebody lay there
);

-- When a person's plan is looked at next. No row: now.
create table plan_looks (
    person_id uuid primary key references people,
    version   integer not null,                -- of the plan that was looked at
    looked_at timestamptz not null,
    look_at   timestamptz not null
);

-- When each device was last heard, and when it counts as silent.
create table device_heard (
    home_id   uuid not null,
    device    text not null,
    hub       text not null references hubs (name),
    heard_at  timestamptz,                     -- null: never
    silent_at timestamptz not null,
    primary key (home_id, device),
    foreign key (home_id, device) references devices
);
create index device_heard_by_silence on device_heard (silent_at);

-- What the service itself found. Each is an alarm of the device `detector`, and this says why.
create table findings (
    alarm_id  uuid primary key references alarms,
    person_id uuid references people,          -- whom it is about; null where it is about equipment
    rule      text not null check (rule in ('no-movement', 'not-back', 'not-up', 'hub-silent', 'device-silent',
                                            'hub-restored', 'device-restored')),
    sentence  text not null check (sentence <> '')
);

-- Who is silent: a hub (device '') or a device. One row for each silence.
create table silences (
    id            bigint generated always as identity primary key,
    home_id       uuid not null references homes,
    hub           text not null references hubs (name),
    device        text not null default '',
    last_heard_at timestamptz,
    noticed_at    timestamptz not null,
    alarm_id      uuid not null references alarms,
    ended_at      timestamptz check (ended_at >= noticed_at)
);
create unique index silences_one_open on silences (home_id, hub, device) where ended_at is null;
create index silences_ended on silences (hub, ended_at) where device = '';
