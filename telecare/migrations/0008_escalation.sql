-- Who answers for a person besides the service, and how each contact may be reached.

-- Gold: we go, and hold a key. Silver: three contacts with keys who agreed to be called day and night. Carer alert: contacts are
-- asked at once.
alter table people add column service_type text not null default 'gold'
    check (service_type in ('gold', 'silver', 'carer-alert'));

alter table contacts add column language text not null default 'English' check (language <> '');
alter table contacts add column under_18 boolean not null default false;
alter table contacts add column at_night boolean not null default true;  -- agreed to be called between quiet_from and quiet_until
alter table contacts add column quiet_from  time not null default '22:00';
alter table contacts add column quiet_until time not null default '07:00';
-- A contact under 18 is never called at night.
alter table contacts add constraint no_child_at_night check (not (under_18 and at_night));
