-- Reablement episodes and their outcomes. What must never be true of one is a constraint here.

create extension if not exists btree_gist;   -- trusted: the database's owner may

create table episodes (
    id             uuid primary key,
    person_id      uuid not null references people,
    council_id     uuid not null references councils,       -- who arranged it
    reason         text not null check (reason in ('hospital-discharge', 'fall', 'illness', 'carer-crisis', 'review', 'other')),
    started_on     date not null,
    ended_on       date,
    end_reason     text check (end_reason in ('completed', 'hospital', 'care-home', 'died', 'declined', 'moved-away', 'other')),
    sequel         text check (sequel in ('none', 'universal', 'low-level', 'short-term', 'long-term', 'care-home', 'hospital',
                                          'died', 'early-cessation', 'declined', 'self-funded')),
    -- Where the person was on day 91 after the start. Null: nobody has asked yet. Not reached: asked in vain.
    day91          text check (day91 in ('home', 'hospital', 'care-home', 'died', 'not-reached')),
    day91_asked_on date,
    day91_asked_by text check (day91_asked_by <> ''),
    entered_at     timestamptz not null,
    entered_by     text not null,
    version        integer not null default 1,              -- every change names the version it saw
    source_hash    bytea,                                   -- of the file that it was imported from,
    source_line    integer,                                 -- and the line there
    unique (council_id, source_hash, source_line),
    constraint end_not_before_start check (ended_on >= started_on),
    constraint closed_needs_reason_and_sequel check (num_nonnulls(ended_on, end_reason, sequel) in (0, 3)),
    constraint day91_has_date_and_name check (num_nonnulls(day91, day91_asked_on, day91_asked_by) in (0, 3)),
    constraint day91_has_come check (day91 = 'died' or day91_asked_on >= started_on + 91),
    constraint no_two_at_once exclude using gist (person_id with =, daterange(started_on, ended_on, '[]') with &&)
);
create index episodes_by_council on episodes (council_id, started_on);

-- What the person wanted to be able to do again, in their own words.
create table episode_goals (
    episode_id uuid not null references episodes,
    place      smallint not null check (place between 1 and 5),
    words      text not null check (char_length(words) between 1 and 500),
    reached    text check (reached in ('yes', 'partly', 'no')),   -- null: not said
    primary key (episode_id, place)
);

create table episode_measures (
    episode_id uuid not null references episodes,
    measure    text not null,
    moment     text not null check (moment in ('start', 'end')),
    value      numeric(6, 1) not null,
    primary key (episode_id, measure, moment),
    constraint within_its_range check (
        (measure = 'barthel' and value between 0 and 20 and value = trunc(value))
        or (measure in ('sct4_control', 'sct4_safety') and value between 1 and 4 and value = trunc(value))
        or (measure = 'care_hours' and value between 0 and 168))
);

create table episode_log (
    id         bigint generated always as identity primary key,
    episode_id uuid not null references episodes,
    at         timestamptz not null,
    who        text not null,
    what       text not null check (what in ('entered', 'imported', 'changed')),
    episode    jsonb not null                               -- as it was then
);
create index episode_log_by_episode on episode_log (episode_id, id);
create trigger episode_log_append_only before update or delete on episode_log
    for each row execute function refuse_change();

-- A file that was uploaded, and its lines until somebody imports the good ones or the time is over.
create table episode_imports (
    id          uuid primary key,
    council_id  uuid not null references councils,
    file_name   text not null,
    file_hash   bytea not null,
    notes       text[] not null default '{}',               -- what the reader should know: encoding, columns left out
    header      text[] not null,
    delimiter   text not null,
    uploaded_at timestamptz not null,
    uploaded_by text not null,
    lines_until timestamptz not null,                       -- then its lines are deleted: they are about people
    imported_at timestamptz,
    imported_by text,
    constraint imported_by_somebody check (num_nonnulls(imported_at, imported_by) in (0, 2))
);
create table episode_import_lines (
    import_id uuid not null references episode_imports on delete cascade,
    line      integer not null,                             -- as a spreadsheet counts rows; the header is 1
    state     text not null check (state in ('good', 'wrong', 'already', 'imported')),
    cells     text[] not null,
    person_id uuid references people,
    episode   jsonb,
    problems  jsonb not null default '[]',                  -- [[field, what is wrong], ...]
    primary key (import_id, line),
    constraint good_can_be_imported check (state = 'wrong' or (person_id is not null and episode is not null)),
    constraint wrong_says_why check (state <> 'wrong' or jsonb_array_length(problems) > 0)
);
create index episode_imports_by_time on episode_imports (lines_until);

-- Loading of past cases, people and episodes, with how far it has come.
create table history_loads (
    name        text primary key,
    until       date not null,
    done        integer not null default 0,
    total       integer not null check (total > 0),
    started_at  timestamptz not null,
    finished_at timestamptz,
    constraint done_is_part check (done between 0 and total)
);
