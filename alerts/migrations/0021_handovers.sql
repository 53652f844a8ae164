-- The handover of a shift: what is open is written down, the one who comes checks each item and signs. HSE's guidance on shift
-- handover: two-way, spoken and written, and the incoming person cross-checks.

create table handovers (
    id         uuid primary key,
    given_by   text not null references staff (username),
    given_at   timestamptz not null,
    words      text not null check (char_length(words) between 1 and 4000),  -- what the one who goes wants to say
    taken_by   text references staff (username),
    taken_at   timestamptz,
    remarks    text not null default '' check (char_length(remarks) <= 4000),
    ended_at   timestamptz,                       -- given up or replaced by another, without having been taken
    constraint nobody_takes_from_themselves check (taken_by <> given_by),
    constraint taken_has_a_time check ((taken_by is null) = (taken_at is null)),
    constraint taken_or_given_up check (taken_at is null or ended_at is null)
);
create unique index handovers_one_open on handovers (given_by) where taken_at is null and ended_at is null;
create index handovers_by_time on handovers (given_at);

create table handover_items (
    handover_id uuid not null references handovers,
    place       smallint not null check (place > 0),
    kind        text not null check (kind in (
        'alert', 'visit', 'emergency-service', 'shelved', 'away', 'kit-fault', 'task', 'key', 'vehicle', 'kit', 'trouble')),
    words       text not null check (words <> ''),
    link        text not null default '' check (link = '' or link ~ '^/[^/]'),
    checked_by  text references staff (username),
    checked_at  timestamptz,
    remark      text not null default '' check (char_length(remark) <= 1000),
    primary key (handover_id, place),
    constraint checked_has_a_time check ((checked_by is null) = (checked_at is null))
);

-- Nobody signs for what they have not checked.
create function signed_for_what_was_checked() returns trigger language plpgsql as $$
begin
    if exists (select 1 from handover_items where handover_id = new.id and checked_by is distinct from new.taken_by) then
        raise exception 'an item of this handover has not been checked by the one who takes it' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger signed_for_what_was_checked before insert or update of taken_by on handovers for each row
    when (new.taken_by is not null) execute function signed_for_what_was_checked();

-- What was signed stays as it was.
create function handover_is_kept() returns trigger language plpgsql as $$
begin
    if exists (select 1 from handovers where id = old.handover_id and (taken_at is not null or ended_at is not null)) then
        raise exception 'a handover that is over is not changed' using errcode = 'check_violation';
    end if;
    return coalesce(new, old);
end $$;
create trigger handover_is_kept before update or delete on handover_items for each row execute function handover_is_kept();
