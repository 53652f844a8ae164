-- The register: who the service is for, where they live, what equipment they have, and who works here.

create table councils (
    id       uuid primary key,
    name     text not null unique check (name <> ''),
    timezone text not null default 'Europe/London'
);

create table homes (
    id                uuid primary key,
    council_id        uuid not null references councils,
    address           text not null check (address <> ''),
    postcode          text not null default '',
    phone             text not null default '',
    access_notes      text not null default '',   -- how to get in, in words
    key_safe_location text not null default '',
    key_safe_code     text not null default '',   -- shown on request only, and each showing is logged
    hazards           text not null default '',   -- what someone going there must know: dog, oxygen, steps
    created_at        timestamptz not null default now()
);

create table people (
    id         uuid primary key,
    home_id    uuid not null references homes,
    name       text not null check (name <> ''),
    known_as   text not null default '',
    born       date,
    mobile     text not null default '',
    language   text not null default 'English',
    conditions text not null default '',
    mobility   text not null default '',
    wishes     text not null default '',          -- in the person's own words, accepted risks included
    created_at timestamptz not null default now()
);
create index people_by_home on people (home_id);

create table contacts (
    id           uuid primary key,
    person_id    uuid not null references people,
    place        smallint not null check (place > 0),   -- 1 is asked first
    name         text not null check (name <> ''),
    relationship text not null default '',
    phone        text not null default '',
    email        text not null default '',
    has_key      boolean not null default false,
    unique (person_id, place)
);

create table hubs (
    name        text primary key check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    home_id     uuid not null references homes,
    -- The broker's own password hash (Mosquitto "$7$", PBKDF2-SHA512); the secret itself is shown once and never kept.
    secret_hash text not null,
    enrolled_at timestamptz not null default now()
);
create index hubs_by_home on hubs (home_id);

create table devices (
    home_id   uuid not null references homes,
    name      text not null check (char_length(name) between 1 and 64),
    kind      text not null default '',                -- pendant, pir, door, bed, smoke, ...
    person_id uuid references people,                  -- whose it is; sensors of the home belong to nobody
    location  text not null default '',
    primary key (home_id, name)
);
create index devices_by_name on devices (name);

create table staff (
    id           uuid primary key,
    username     text not null unique check (username ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    display_name text not null check (display_name <> ''),
    role         text not null
                 check (role in ('operator', 'supervisor', 'responder', 'carer', 'commissioner', 'admin')),
    password_hash text not null,                       -- argon2id
    active       boolean not null default true,
    demo         boolean not null default false,       -- made by --demo; such a database never listens beyond loopback
    created_at   timestamptz not null default now()
);

create table staff_tokens (
    token_hash bytea primary key,                      -- sha256 of the token, which is shown once
    staff_id   uuid not null references staff,
    created_at timestamptz not null default now(),
    revoked_at timestamptz
);

-- While one is open, `test: true` on an alarm that needs a person counts as a test, and only for that device.
create table test_windows (
    id        uuid primary key,
    home_id   uuid not null,
    device    text not null,
    opened_by text not null,
    opened_at timestamptz not null,
    ends_at   timestamptz not null,
    foreign key (home_id, device) references devices,
    constraint at_most_half_an_hour check (ends_at > opened_at and ends_at <= opened_at + interval '30 minutes')
);
create index test_windows_by_device on test_windows (home_id, device, ends_at);
