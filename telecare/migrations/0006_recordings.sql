-- Whether a person lets the recordings of their pendant's blows teach the detector. The newest row counts; without one, no.
create table recording_consents (
    id          bigint generated always as identity primary key,
    person_id   uuid not null references people,
    given       boolean not null,
    said        text not null check (said <> ''),     -- how the person said so
    recorded_by text not null,
    recorded_at timestamptz not null
);
create index recording_consents_by_person on recording_consents (person_id, id);

-- For any table of the register that only grows.
create function register_row_is_kept() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
end $$;
create trigger recording_consents_append_only before update or delete on recording_consents
    for each row execute function register_row_is_kept();
create trigger recording_consents_no_truncate before truncate on recording_consents
    for each statement execute function register_row_is_kept();
