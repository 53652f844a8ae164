-- A technical alert may be put aside for some hours, with a reason: it waits quietly, apart, and stands on the handover.
-- What needs a person is never put aside.

alter table alerts
    add column shelved_at    timestamptz,
    add column shelved_until timestamptz,
    add column shelved_by    text references staff (username),
    add column shelved_why   text not null default '',
    add constraint only_equipment_is_shelved check (shelved_until is null or priority = 4),
    add constraint shelved_waits check (shelved_until is null or claimed_by is null),
    add constraint shelved_is_explained
        check (num_nonnulls(shelved_at, shelved_until, shelved_by) in (0, 3) and (shelved_until is null) = (shelved_why = '')),
    add constraint shelved_for_half_a_day check (shelved_until > shelved_at and shelved_until <= shelved_at + interval '12 hours');

-- Who takes it takes it off the shelf; so does a graver alarm that joins it.
create function off_the_shelf() returns trigger language plpgsql as $$
begin
    new.shelved_at := null;
    new.shelved_until := null;
    new.shelved_by := null;
    new.shelved_why := '';
    return new;
end $$;
create trigger off_the_shelf before update of claimed_by, priority, closed_at on alerts for each row
    when (new.shelved_until is not null and (new.claimed_by is not null or new.priority < 4 or new.closed_at is not null))
    execute function off_the_shelf();

-- What came in the last minutes is counted for the queue; alarms join in the order of time, so a coarse index will do.
create index alert_alarms_by_time on alert_alarms using brin (joined_at) with (pages_per_range = 16, autosummarize = on);
