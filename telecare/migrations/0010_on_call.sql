-- Whom the service rings when nobody takes an alert: its people on call, when they are, and how tests of their numbers went.

create table on_call_people (
    id         uuid primary key,
    council_id uuid references councils,         -- null: for every council
    duty       text not null check (duty in ('supervisor', 'second-site')),
    name       text not null check (char_length(name) between 1 and 200),
    phone      text not null check (phone ~ '^\+[1-9][0-9]{1,14}$'),  -- E.164
    email      text not null default '' check (char_length(email) <= 200),
    ended_at   timestamptz                       -- no longer on call; what was said to them still names them
);
create index on_call_people_now on on_call_people (duty) where ended_at is null;

-- Each week at these times, by the council's clock. Somebody without a row is on call at any time.
create table on_call_windows (
    id         uuid primary key,
    on_call_id uuid not null references on_call_people,
    days       smallint[] not null,              -- on which it begins: 1 is Monday, 7 is Sunday
    from_min   smallint not null check (from_min between 0 and 1439),    -- minutes after midnight
    until_min  smallint not null,                -- the same; above 1440 it ends on the next day
    constraint some_day_and_no_other
        check (cardinality(days) > 0 and array_position(days, null) is null and days <@ '{1,2,3,4,5,6,7}'::smallint[]),
    constraint not_empty_and_not_longer_than_a_day check (until_min > from_min and until_min <= from_min + 1440)
);
create index on_call_windows_by_person on on_call_windows (on_call_id);

-- How the last test of a way to them went; it counts only for the address that was tested.
create table on_call_ways (
    on_call_id uuid not null references on_call_people,
    channel    text not null check (channel in ('sms', 'voice', 'email')),
    address    text not null check (address <> ''),
    tested_at  timestamptz,                      -- a test last arrived
    failed_at  timestamptz,                      -- a test last did not
    primary key (on_call_id, channel, address),
    constraint a_test_has_a_result check (tested_at is not null or failed_at is not null)
);

-- Who changed what of it, and when.
create table on_call_log (
    id         bigint generated always as identity primary key,
    on_call_id uuid not null references on_call_people,
    at         timestamptz not null,
    who        text not null check (who <> ''),
    what       text not null check (what <> ''),
    detail     jsonb not null default '{}'
);
create trigger on_call_log_append_only before update or delete on on_call_log
    for each row execute function register_row_is_kept();
create trigger on_call_log_no_truncate before truncate on on_call_log
    for each statement execute function register_row_is_kept();
