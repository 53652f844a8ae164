-- Who is logged in. The cookie holds a random key; the table holds its hash.

create table sessions (
    key_hash   bytea primary key,
    staff_id   uuid not null references staff,
    csrf_token text not null,
    created_at timestamptz not null,
    ends_at    timestamptz not null
);

-- Who looked at what is sensitive: for now, a key-safe code.
create table access_log (
    id       bigint generated always as identity primary key,
    at       timestamptz not null,
    username text not null,
    what     text not null,
    home_id  uuid references homes,
    alert_id bigint references alerts
);
