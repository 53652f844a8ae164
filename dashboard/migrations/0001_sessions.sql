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

-- Each hub with what it last said. It is online when it said so and has been heard within three of its heartbeats.
create view hubs_heard as
    select h.name, h.home_id, s.received_at, s.firmware, s.mains, s.battery, s.network, s.outbox,
           coalesce(s.online and s.received_at > clock_timestamp() - 3 * make_interval(secs => coalesce(s.heartbeat_s, 60)),
                    false) as online
      from hubs h left join hub_states s on s.hub = h.name;
create index sessions_by_end on sessions (ends_at);
