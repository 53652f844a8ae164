-- Nobody is asked, or written to, who is no contact any more or may not be asked; and who will be asked once they can be.

create function only_who_may_be_asked() returns trigger language plpgsql as $$
begin
    if exists (select 1 from contacts where id = new.contact_id and (ended_at is not null or under_18)) then
        raise exception 'a contact who has ended, or is under 18, is not asked' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger asks_only_who_may_be before insert on asks
    for each row when (new.answer_by is not null) execute function only_who_may_be_asked();
create trigger asks_only_who_may_be_again before update of answer_by on asks
    for each row when (new.answer_by is distinct from old.answer_by and new.answer_by is not null)
    execute function only_who_may_be_asked();

create function only_contacts_are_written_to() returns trigger language plpgsql as $$
begin
    if exists (select 1 from contacts
                where id = new.contact_id and (ended_at is not null or new.channel <> all(channels))) then
        raise exception 'a contact who has ended, or does not want this way, is not written to'
              using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger messages_only_to_contacts before insert on messages
    for each row execute function only_contacts_are_written_to();

-- Who can be asked from when on, nobody being left who can be asked now. `due_at` is not later, unless the person is safe.
alter table ladders add column later_at timestamptz;
alter table ladders add column later_contact uuid references contacts;
alter table ladders add constraint later_is_somebody check ((later_at is null) = (later_contact is null));
alter table ladders add constraint later_is_looked_at check (later_at is null or due_at is not null);

-- Answers are only added to, but for what has been kept long enough (alerts/retention.py).
create function refuse_change_but_retention() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('telecare.retiring', true) = tg_table_name then
        return old;
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
end $$;
drop trigger replies_append_only on replies;
create trigger replies_append_only before update or delete on replies
    for each row execute function refuse_change_but_retention();
