-- Whose figures a commissioner sees, and by which name a council knows a person.

-- null: every council. Others work for the service, whoever buys it.
alter table staff add column council_id uuid references councils;
alter table staff add constraint only_commissioners_belong check (council_id is null or role = 'commissioner');

-- A council's own reference for a person, so that its files need neither names nor NHS numbers.
create table person_references (
    person_id  uuid primary key references people,
    council_id uuid not null references councils,
    reference  text not null check (reference ~ '^[A-Za-z0-9][A-Za-z0-9 ./_-]{0,39}$'),
    constraint no_nhs_number check (regexp_replace(reference, '[^0-9A-Za-z]', '', 'g') !~ '^[0-9]{10}$')
);
create unique index person_references_of_council on person_references (council_id, lower(reference));
