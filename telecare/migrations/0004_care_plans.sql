-- What the service watches for a person besides their alarm, and when it does not.

create table care_plans (
    person_id       uuid primary key references people,
    -- No movement for this long while at home, between two times of the council's clock (the same twice: day and night).
    still_after_min integer check (still_after_min between 30 and 2880),      -- null: not watched
    still_from      time not null default '07:00',
    still_until     time not null default '22:00',
    out_after_min   integer not null default 1440 check (out_after_min between 60 and 10080),  -- gone out and not back
    -- No sign of getting up by a time of the council's clock.
    up_by           time,                                                      -- null: not watched
    up_since        time not null default '05:00',                             -- from when movement counts as getting up
    -- In hospital, on holiday: nothing is watched until then. An alarm is an alarm all the same.
    away_until      timestamptz,
    away_why        text not null default '',
    agreed          text not null default '',                                  -- what the person said to it
    version         integer not null default 1,                                -- each change counts one up
    changed_at      timestamptz not null,
    changed_by      text not null,
    constraint up_by_follows_up_since check (up_by is null or up_by > up_since)
);

create table care_plan_log (
    id        bigint generated always as identity primary key,
    person_id uuid not null references people,
    at        timestamptz not null,
    who       text not null,
    plan      jsonb not null
);
create index care_plan_log_by_person on care_plan_log (person_id, id);

-- A door through which one leaves the home.
alter table devices add column leads_outside boolean not null default false;

-- Since when a service has been doing its work without a break: who was silent while we did not listen was not silent.
alter table service_heartbeats add column well_since timestamptz;
