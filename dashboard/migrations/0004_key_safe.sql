-- Whoever looks at the code of a key safe says for whom. Rows from before did not.
alter table access_log add column for_whom text not null default '';
alter table access_log add column why      text not null default '';
alter table access_log add constraint a_code_is_for_somebody check (what <> 'key-safe-code' or for_whom <> '') not valid;
