-- What responders entered on their phones: each is done once, however often it is sent, and kept with when it was entered.
create table visit_entries (
    entry       uuid primary key,                 -- made where it was entered
    visit_id    uuid not null references visits,
    step        text not null check (step <> '' and char_length(step) <= 40),
    who         text not null references staff (username),
    entered_at  timestamptz,                      -- by the phone's clock; null: not said
    received_at timestamptz not null,
    refused     text[] not null default '{}'      -- why it was not done: a repeat is answered as the first time
);
create index visit_entries_by_visit on visit_entries (visit_id);
create trigger visit_entries_append_only before update or delete on visit_entries
    for each row execute function refuse_change();
create trigger visit_entries_no_truncate before truncate on visit_entries
    for each statement execute function refuse_change();
