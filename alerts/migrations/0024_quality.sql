-- Looking back at closed alerts: two of each handler in each month, drawn at random, reviewed by somebody else.

-- One draw for each handler and month, when the month is over. The seed makes it possible to draw the same again.
create table quality_draws (
    handler    text not null references staff (username),
    month      date not null check (extract(day from month) = 1),
    seed       bigint not null check (seed >= 0),
    drawn_at   timestamptz not null,
    candidates integer not null check (candidates > 0),   -- alerts that the handler closed in the month
    primary key (handler, month)
);
create trigger quality_draws_append_only before update or delete on quality_draws
    for each row execute function refuse_change();
create trigger quality_draws_no_truncate before truncate on quality_draws
    for each statement execute function refuse_change();

create table quality_samples (
    id          uuid primary key,
    handler     text not null,
    month       date not null,
    place       smallint not null check (place between 1 and 2),
    alert_id    bigint not null unique references alerts,
    service     text not null,                             -- for whom it was answered, in words, as it was then
    had_999     boolean not null,                          -- an emergency service was called
    reviewed_by text references staff (username),
    reviewed_at timestamptz,
    note        text not null default '' check (char_length(note) <= 4000),
    foreign key (handler, month) references quality_draws,
    unique (handler, month, place),
    constraint nobody_reviews_their_own check (reviewed_by <> handler),
    constraint a_review_has_a_time_and_a_note
        check ((reviewed_by is null) = (reviewed_at is null) and (reviewed_by is null) = (note = ''))
);
create index quality_samples_to_review on quality_samples (month) where reviewed_by is null;

create table quality_marks (
    sample_id uuid not null references quality_samples,
    criterion text not null check (criterion in (
        'answered-in-time', 'voice-heard', 'script-followed', 'right-decision', 'safety-confirmed', 'facts-only')),
    mark      text not null check (mark in ('yes', 'partly', 'no', 'not-applicable')),
    primary key (sample_id, criterion)
);
create trigger quality_marks_append_only before update or delete on quality_marks
    for each row execute function refuse_change();
create trigger quality_marks_no_truncate before truncate on quality_marks
    for each statement execute function refuse_change();

-- A sample is an alert that its handler closed.
create function a_sample_is_its_handlers() returns trigger language plpgsql as $$
begin
    if new.reviewed_by is not null then
        raise exception 'a sample is drawn before it is reviewed' using errcode = 'check_violation';
    end if;
    if not exists (select 1 from alerts where id = new.alert_id and claimed_by = new.handler and closed_at is not null) then
        raise exception 'alert % was not closed by %', new.alert_id, new.handler using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger a_sample_is_its_handlers before insert on quality_samples
    for each row execute function a_sample_is_its_handlers();

-- Marks come with the review, all of them, and the review stays as it is.
create function reviewed_once_and_whole() returns trigger language plpgsql as $$
begin
    if old.reviewed_by is not null or (old.handler, old.month, old.place, old.alert_id) <> (new.handler, new.month, new.place, new.alert_id) then
        raise exception 'a sample is reviewed once, and never changed' using errcode = 'check_violation';
    end if;
    if (select count(*) from quality_marks where sample_id = new.id) <> 6 then
        raise exception 'a review marks every criterion' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger reviewed_once_and_whole before update on quality_samples
    for each row execute function reviewed_once_and_whole();
create trigger quality_samples_are_kept before delete on quality_samples
    for each row execute function refuse_change();

create function marks_come_with_the_review() returns trigger language plpgsql as $$
begin
    if exists (select 1 from quality_samples where id = new.sample_id and reviewed_by is not null) then
        raise exception 'a sample that was reviewed takes no more marks' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger marks_come_with_the_review before insert on quality_marks
    for each row execute function marks_come_with_the_review();
