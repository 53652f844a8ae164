-- Carers: what the person lets each contact see, who may log in as whom, and invitations to do so.

-- The login of a contact who has taken up an invitation; one login may be the contact of several people.
alter table contacts add column staff_id uuid references staff;
create index contacts_by_login on contacts (staff_id) where staff_id is not null;

-- What the person lets a contact see. The newest row counts; without one, nothing. Being asked to go needs none.
create table consents (
    id          bigint generated always as identity primary key,
    contact_id  uuid not null references contacts,
    alerts      boolean not null,              -- that an alert was raised, and how it ended
    activity    boolean not null,              -- when movement was last seen
    equipment   boolean not null,              -- whether the alarm works
    said        text not null check (said <> ''), -- how the person said so
    recorded_by text not null,
    recorded_at timestamptz not null
);
create index consents_by_contact on consents (contact_id, id);

create function consents_are_kept() returns trigger language plpgsql as $$
begin
    raise exception 'consents is append-only' using errcode = 'integrity_constraint_violation';
end $$;
create trigger consents_append_only before update or delete on consents
    for each row execute function consents_are_kept();

create table invitations (
    token_hash   bytea primary key,            -- sha256 of the token, which is shown once
    contact_id   uuid not null references contacts,
    made_by      text not null,
    made_at      timestamptz not null,
    ends_at      timestamptz not null check (ends_at > made_at),
    accepted_at  timestamptz,
    withdrawn_at timestamptz,                  -- another one was made instead
    check (accepted_at is null or withdrawn_at is null)
);
create unique index invitations_one_open on invitations (contact_id) where accepted_at is null and withdrawn_at is null;
