-- When each contact can be asked, by which ways they were really reached, and who changed what of it.

-- How the contact agreed to be called at night; '': nobody has asked them. Until then at_night stands as it is.
alter table contacts add column night_said text not null default '';
-- Two contacts change places in one statement.
alter table contacts drop constraint contacts_person_id_place_key;
alter table contacts add constraint contacts_person_id_place_key unique (person_id, place) deferrable initially immediate;

-- A contact's rota: each week at these times. A contact without a row can be asked at any time.
create table contact_windows (
    id         uuid primary key,
    contact_id uuid not null references contacts,
    days       smallint[] not null,              -- on which it begins: 1 is Monday, 7 is Sunday
    from_min   smallint not null check (from_min between 0 and 1439),    -- minutes after midnight, the council's clock
    until_min  smallint not null,                -- the same; above 1440 it ends on the next day
    constraint some_day_and_no_other
        check (cardinality(days) > 0 and array_position(days, null) is null and days <@ '{1,2,3,4,5,6,7}'::smallint[]),
    constraint not_empty_and_not_longer_than_a_day check (until_min > from_min and until_min <= from_min + 1440)
);
create index contact_windows_by_contact on contact_windows (contact_id);

-- Days on which a contact cannot be asked, the first and the last included, by the council's clock.
create table contact_absences (
    id         uuid primary key,
    contact_id uuid not null references contacts,
    first_day  date not null,
    last_day   date not null check (last_day >= first_day),
    why        text not null check (why <> '')
);
create index contact_absences_by_contact on contact_absences (contact_id, last_day);

-- How the last test of a way to a contact went. The addresses themselves are the contact's number and e-mail address (and for push
-- the device that subscribed); a test counts only for the address that was tested.
create table contact_ways (
    contact_id uuid not null references contacts,
    channel    text not null check (channel in ('sms', 'voice', 'email', 'push')),
    address    text not null check (address <> ''),
    tested_at  timestamptz,                      -- a test last arrived
    failed_at  timestamptz,                      -- a test last did not
    primary key (contact_id, channel, address),
    constraint a_test_has_a_result check (tested_at is not null or failed_at is not null)
);

-- The ways to a contact that work: tested, not failed since, and still theirs.
create view contact_ways_that_work as
    select w.contact_id, w.channel, w.address, w.tested_at
      from contact_ways w
      join contacts c on c.id = w.contact_id
     where w.tested_at is not null and (w.failed_at is null or w.failed_at < w.tested_at)
       and case w.channel when 'email' then w.address = c.email when 'push' then true else w.address = c.phone end;

-- Nobody is on a rota who was not reached by two ways.
create function a_rota_needs_two_ways() returns trigger language plpgsql as $$
begin
    if (select count(distinct channel) from contact_ways_that_work where contact_id = new.contact_id) < 2 then
        raise exception 'a contact on a rota has been reached by two ways' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger contact_windows_need_two_ways before insert or update on contact_windows
    for each row execute function a_rota_needs_two_ways();

-- Who changed what of a person's escalation plan, and when.
create table escalation_log (
    id         bigint generated always as identity primary key,
    person_id  uuid not null references people,
    contact_id uuid references contacts,         -- null: of the plan as a whole
    at         timestamptz not null,
    who        text not null check (who <> ''),
    what       text not null check (what <> ''),
    detail     jsonb not null default '{}'
);
create index escalation_log_by_person on escalation_log (person_id, id);
create trigger escalation_log_append_only before update or delete on escalation_log
    for each row execute function register_row_is_kept();
create trigger escalation_log_no_truncate before truncate on escalation_log
    for each statement execute function register_row_is_kept();
