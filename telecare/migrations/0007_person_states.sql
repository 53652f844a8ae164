-- How a person stands with the service. Being away is part of the care plan: it ends by itself.
alter table people add column state text not null default 'active'
    check (state in ('active', 'kit-fault', 'deceased', 'ended'));

create table person_states (
    id          bigint generated always as identity primary key,
    person_id   uuid not null references people,
    state       text not null check (state in ('active', 'kit-fault', 'deceased', 'ended')),
    note        text not null check (note <> ''),   -- who said so; of a kit fault what is wrong, and what is done meanwhile
    due_at      timestamptz,                        -- of a kit fault: when it is to be put right
    recorded_by text not null,
    recorded_at timestamptz not null,
    constraint only_a_kit_fault_is_due check ((state = 'kit-fault') = (due_at is not null))
);
create index person_states_by_person on person_states (person_id, id);

create trigger person_states_append_only before update or delete on person_states
    for each row execute function register_row_is_kept();
create trigger person_states_no_truncate before truncate on person_states
    for each statement execute function register_row_is_kept();

-- A state that nobody has written down does not exist.
create function person_state_is_recorded() returns trigger language plpgsql as $$
begin
    if new.state is distinct from (select state from person_states where person_id = new.id order by id desc limit 1) then
        raise exception 'the state of a person is what person_states says last' using errcode = 'check_violation';
    end if;
    return null;
end $$;
create constraint trigger people_state_recorded after update of state on people deferrable initially immediate
    for each row execute function person_state_is_recorded();
