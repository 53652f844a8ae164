-- The response team: who can be sent, with what, and what they are doing; and the keys that the service holds.

create extension if not exists btree_gist;   -- trusted: the database's owner may

create table vehicles (
    id         uuid primary key,
    name       text not null check (name <> '' and char_length(name) <= 60),
    retired_at timestamptz
);
create unique index vehicles_by_name on vehicles (lower(name)) where retired_at is null;

create table vehicle_kit (
    id           uuid primary key,
    vehicle_id   uuid not null references vehicles,
    kind         text not null check (kind in (
        'chair-lifter', 'cushion-lifter', 'slide-sheet', 'defibrillator', 'first-aid-kit', 'gloves')),
    faulty_since timestamptz,
    fault        text not null default '' check (char_length(fault) <= 500),
    removed_at   timestamptz,
    constraint a_fault_is_described check ((faulty_since is null) = (fault = ''))
);
create index vehicle_kit_by_vehicle on vehicle_kit (vehicle_id) where removed_at is null;

-- What a member of staff who travels brings. Without a row: nothing is known of them but their name.
create table responders (
    username  text primary key references staff (username),
    skills    text[] not null default '{}' check (skills <@ array[
        'lifting', 'first-aid', 'dementia', 'mental-health', 'sign-language']),
    languages text[] not null default '{}',            -- beside English
    place     text not null default '' check (char_length(place) <= 200),  -- where they usually are, in words
    district  text not null default '' check (district ~ '^([A-Z]{1,2}[0-9][A-Z0-9]?)?$'),  -- and its postcode district
    council_id uuid references councils                -- and its council; null: not known
);

create table responder_shifts (
    id         uuid primary key,
    username   text not null references staff (username),
    from_at    timestamptz not null,
    until_at   timestamptz not null,
    partner    text not null default '' check (char_length(partner) <= 200),  -- with whom: a user name or a name; '': alone
    vehicle_id uuid references vehicles,
    away_until timestamptz,                            -- cannot be sent until then
    away_why   text not null default '' check (char_length(away_why) <= 200),
    constraint a_shift_ends          check (until_at > from_at and until_at <= from_at + interval '24 hours'),
    constraint nobody_pairs_alone    check (partner <> username),
    constraint away_is_explained     check ((away_until is null) = (away_why = '')),
    constraint one_shift_at_a_time   exclude using gist (username with =, tstzrange(from_at, until_at) with &&)
);

create function only_responders_travel() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from staff where username = new.username and role = 'responder') then
        raise exception '% is no responder', new.username using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger responders_travel before insert or update of username on responders
    for each row execute function only_responders_travel();
create trigger responders_have_shifts before insert or update of username on responder_shifts
    for each row execute function only_responders_travel();

-- Who changed what of the team, the vehicles and the keys.
create table response_log (
    id     bigint generated always as identity primary key,
    at     timestamptz not null,
    who    text not null check (who <> ''),
    about  text not null check (about <> ''),          -- a user name, a vehicle's name, a key's tag
    what   text not null check (what <> ''),
    detail jsonb not null default '{}'
);
create trigger response_log_append_only before update or delete on response_log
    for each row execute function refuse_change();
create trigger response_log_no_truncate before truncate on response_log
    for each statement execute function refuse_change();

-- What somebody who is asked for is doing now, and where they last were.
create index visits_by_leaving on visits (left_at) where left_at is not null;

-- Keys of homes that the service holds.
create table home_keys (
    id            uuid primary key,
    home_id       uuid not null references homes,
    tag           text not null check (tag <> '' and char_length(tag) <= 40),   -- what is written on it; never the address
    kept          text not null check (kept <> '' and char_length(kept) <= 200), -- where it hangs
    given_back_at timestamptz                           -- to whose it is; the service holds it no more
);
create unique index home_keys_by_tag on home_keys (lower(tag)) where given_back_at is null;
create index home_keys_by_home on home_keys (home_id);

create table key_sign_outs (
    id           uuid primary key,
    key_id       uuid not null references home_keys,
    visit_id     uuid not null references visits,
    taken_by     text not null check (taken_by <> '' and char_length(taken_by) <= 200),
    witness      text not null check (witness <> '' and char_length(witness) <= 200),
    out_at       timestamptz not null,
    due_at       timestamptz not null check (due_at > out_at),   -- overdue from then
    back_at      timestamptz check (back_at >= out_at),
    back_witness text check (back_witness <> '' and char_length(back_witness) <= 200),
    constraint two_names         check (lower(btrim(taken_by)) <> lower(btrim(witness))),
    constraint back_is_witnessed check ((back_at is null) = (back_witness is null))
);
create unique index key_sign_outs_one_open on key_sign_outs (key_id) where back_at is null;
create index key_sign_outs_by_visit on key_sign_outs (visit_id);

-- A key opens one home: it goes to a visit there, and is not given away while it is out.
create function a_key_goes_to_its_home() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from home_keys k join alerts a on a.home_id = k.home_id join visits v on v.alert_id = a.id
                    where k.id = new.key_id and v.id = new.visit_id and k.given_back_at is null) then
        raise exception 'this key is not one of the home that is visited' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger a_key_goes_to_its_home before insert or update of key_id, visit_id on key_sign_outs
    for each row execute function a_key_goes_to_its_home();
create function a_key_that_is_out_stays_ours() returns trigger language plpgsql as $$
begin
    if exists (select 1 from key_sign_outs where key_id = new.id and back_at is null) then
        raise exception 'this key is out' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger a_key_that_is_out_stays_ours before update of given_back_at on home_keys
    for each row when (old.given_back_at is null and new.given_back_at is not null)
    execute function a_key_that_is_out_stays_ours();
