-- Contacts end and are never deleted; by which ways each agreed to be reached; days on which rotas may not hold.

alter table contacts add column ended_at  timestamptz;  -- no contact any more, since then
alter table contacts add column ended_by  text check (ended_by <> '');
alter table contacts add column ended_why text check (ended_why <> '');
alter table contacts add constraint an_end_has_who_and_why
    check ((ended_at is null) = (ended_by is null) and (ended_at is null) = (ended_why is null));
create trigger contacts_are_kept before delete on contacts
    for each row execute function register_row_is_kept();
create trigger contacts_no_truncate before truncate on contacts
    for each statement execute function register_row_is_kept();

-- Whoever was there before has been reached by every way there is.
alter table contacts add column channels text[] not null default '{push,sms,voice,email}';
alter table contacts add constraint some_way_and_no_other check (
    cardinality(channels) > 0 and array_position(channels, null) is null
    and channels <@ '{push,sms,voice,email}'::text[]);

-- A way that the contact does not want does not count for a rota.
create or replace view contact_ways_that_work as
    select w.contact_id, w.channel, w.address, w.tested_at
      from contact_ways w
      join contacts c on c.id = w.contact_id
     where w.tested_at is not null and (w.failed_at is null or w.failed_at < w.tested_at)
       and case w.channel when 'email' then w.address = c.email when 'push' then true else w.address = c.phone end
       and w.channel = any(c.channels);

-- As each council keeps them: they differ between the parts of the country, and from year to year.
create table public_holidays (
    council_id uuid not null references councils,
    day        date not null,
    name       text not null check (name <> ''),
    added_by   text not null,
    added_at   timestamptz not null,
    primary key (council_id, day)
);
alter table contact_windows add column on_holidays boolean not null default true;  -- it begins on public holidays too
