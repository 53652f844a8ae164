-- A district that goes silent, or loses its power, is one incident: one alert that lists its homes.

-- A home's area: its council and its postcode district (EX4 of "EX4 3QT"); without a postcode that can be read, the council.
-- It groups thousands of homes at once, so it is one function here, and has no twin in other code.
create function area_of(council uuid, postcode text) returns text language sql immutable parallel safe as $$
    select council::text || ':' || coalesce((regexp_match(upper(regexp_replace(postcode, '\s', '', 'g')),
                                             '^([A-Z]{1,2}[0-9][A-Z0-9]?)([0-9][A-Z]{2})?$'))[1], '')
$$;
create index homes_by_area on homes (area_of(council_id, postcode));

-- An incident's alert has the case key 'incident:AREA'. It is nobody's own: no person, no home and no hub to speak through.
alter table alerts alter column home_id drop not null;
alter table alerts drop constraint live_has_a_hub;
alter table alerts add constraint live_has_a_hub
    check (hub is not null or past_case is not null or case_key like 'incident:%');
alter table alerts add constraint only_an_incident_has_no_home
    check ((home_id is null) = (case_key like 'incident:%'));
alter table alerts add constraint an_incident_is_nobodys
    check (case_key not like 'incident:%' or (person_id is null and hub is null));

create table incidents (
    alert_id bigint primary key references alerts,
    area     text not null,                    -- area_of its homes
    label    text not null check (label <> ''), -- what people call it: the district, or the council
    timezone text not null,
    began_at timestamptz not null              -- when the first of its homes was lost
);

create table incident_homes (
    alert_id   bigint not null references incidents,
    home_id    uuid not null references homes,
    troubles   text[] not null check (troubles <@ array['silent', 'mains', 'network']), -- what is lost now; none: it is back
    had        text[] not null check (had @> troubles and cardinality(had) > 0),        -- what was lost at any time
    since      timestamptz not null,
    changed_at timestamptz not null,           -- when something was lost that had not been
    back_at    timestamptz,
    primary key (alert_id, home_id),
    constraint back_has_lost_nothing check ((cardinality(troubles) = 0) = (back_at is not null))
);
create index incident_homes_by_home on incident_homes (home_id, alert_id);
create index incident_homes_lost on incident_homes (alert_id) where cardinality(troubles) > 0;

-- What an operator found out about a home. The newest row counts, as long as nothing more was lost since.
create table incident_checks (
    id       bigint generated always as identity primary key,
    alert_id bigint not null,
    home_id  uuid not null,
    at       timestamptz not null,
    who      text not null references staff (username),
    result   text not null check (result in ('safe', 'sent', 'no-answer')),
    words    text not null default '',
    foreign key (alert_id, home_id) references incident_homes
);
create index incident_checks_by_home on incident_checks (alert_id, home_id, id);

-- An incident never takes in a person's alarm, whatever a program does. (A cancel stands with the alarm that it names.)
create function incidents_are_technical() returns trigger language plpgsql as $$
begin
    if exists (select 1 from placed p join incidents i on i.alert_id = p.alert_id join alarms a on a.id = p.alarm_id
                where a.kind not in ('mains-lost', 'mains-restored', 'network-lost', 'network-restored', 'device-silent',
                                     'cancel')) then
        raise exception 'an incident takes in no alarm of a person' using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end $$;
create trigger incidents_are_technical after insert on alert_alarms referencing new table as placed
    for each statement execute function incidents_are_technical();

-- The losses of the last minutes, of all homes.
create index alarms_of_loss on alarms (received_at)
    where kind in ('mains-lost', 'mains-restored', 'network-lost', 'network-restored', 'device-silent');
