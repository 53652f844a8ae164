-- What was answered to the script beside a case: one row for each answer, as it was asked and as it was heard. Of a question
-- that was answered twice the newest row counts; nothing is ever changed here.
create table script_answers (
    id       bigint generated always as identity primary key,
    alert_id bigint not null references alerts,
    at       timestamptz not null,
    by       text not null references staff (username),
    script   text not null check (script <> ''),     -- its id, and the version that was used
    version  smallint not null check (version > 0),
    question text not null check (question <> ''),
    answer   text not null check (answer <> ''),
    asked    text not null check (asked <> ''),      -- the question's words
    heard    text not null check (heard <> '')       -- the answer's
);
create index script_answers_by_alert on script_answers (alert_id, id);
create trigger script_answers_append_only before update or delete on script_answers
    for each row execute function refuse_change();
create trigger script_answers_no_truncate before truncate on script_answers
    for each statement execute function refuse_change();

create function only_the_owner_answers() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from alerts where id = new.alert_id and claimed_by = new."by" and closed_at is null) then
        raise exception 'only who has an open alert answers its script' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger only_the_owner_answers before insert on script_answers
    for each row execute function only_the_owner_answers();

-- By which script an assessment's answers were given.
alter table assessments add column script text check (script <> '');
alter table assessments add column script_version smallint check (script_version > 0);
alter table assessments add constraint a_script_has_a_version check ((script is null) = (script_version is null));
