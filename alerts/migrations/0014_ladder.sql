-- The carers' ladder: each question to a contact has the next instant at which something happens by itself (alerts/ladder.py).

alter table asks add column voice_at  timestamptz;   -- when the contact is rung, having not answered
alter table asks add column arrive_by timestamptz;   -- when a contact who goes is late
alter table asks add column there_at  timestamptz;   -- the contact is with the person
alter table asks add column late_at   timestamptz;   -- was late: others were asked; that happens once in a round
alter table asks add column round     smallint not null default 1 check (round > 0); -- in which the contact was last asked
alter table asks add column yeses     smallint not null default 0;                   -- how often they have said that they go
update asks set arrive_by = answered_at + make_interval(mins => coalesce(minutes, 30)) + interval '10 minutes', yeses = 1
 where answer = 'going' and over_at is null;
alter table asks add column due_at timestamptz generated always as (least(voice_at, answer_by, arrive_by)) stored;
drop index asks_due;
create index asks_due on asks (due_at) where due_at is not null;
alter table asks add constraint going_has_an_end check (
    answer is distinct from 'going' or arrive_by is not null or there_at is not null or late_at is not null
    or passed_at is not null or over_at is not null);
alter table asks add constraint only_who_goes_arrives check (
    answer is not distinct from 'going' or (arrive_by is null and there_at is null));
alter table asks add constraint over_waits_for_nothing check (over_at is null or (voice_at is null and answer_by is null and arrive_by is null));
alter table asks add constraint only_who_waits_is_rung check (voice_at is null or answer_by is not null);

-- A question may have been sent more than once; each link leads to it.
create table ask_links (
    token_hash bytea primary key,                 -- sha256 of the token in the link
    ask_id     uuid not null references asks,
    made_at    timestamptz not null
);
create index ask_links_by_ask on ask_links (ask_id);
insert into ask_links (token_hash, ask_id, made_at) select token_hash, id, asked_at from asks;
alter table asks drop column token_hash;

-- One row for each alert about which contacts are asked.
create table ladders (
    alert_id bigint primary key references alerts,
    begun_by text not null,                       -- a username, or 'system'
    begun_at timestamptz not null,
    why      text not null check (why in ('operator', 'plan', 'breached')),
    round    smallint not null default 1 check (round > 0),
    due_at   timestamptz,                         -- when the first contact is asked, or all are asked again
    ended_at timestamptz,                         -- nobody is left to be asked, or the alert has ended
    constraint ended_waits_for_nothing check (ended_at is null or due_at is null)
);
create index ladders_due on ladders (due_at) where due_at is not null;
insert into ladders (alert_id, begun_by, begun_at, why)
select distinct on (k.alert_id) k.alert_id, k.asked_by, k.asked_at, case k.asked_by when 'system' then 'breached' else 'operator' end
  from asks k join alerts a on a.id = k.alert_id where a.closed_at is null order by k.alert_id, k.asked_at;

alter table messages drop constraint messages_purpose_check;
alter table messages add constraint messages_purpose_check
    check (purpose in ('ask', 'next', 'late', 'going', 'hospital', 'over', 'invitation', 'test'));
