-- A fall of which its detector is not sure: the alert is one of a possible fall until something graver joins it.
alter table alerts add column possible boolean not null default false;
