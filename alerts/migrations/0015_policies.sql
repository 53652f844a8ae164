-- At which level each kind of alarm is answered, and when a level rises: by council, in versions, each kept for ever.
-- And what figures about answering are made of.

-- What no policy may say, whoever writes it: equipment is never in it (it is always level 4), what needs a person is never
-- level 4, and what may be a life is never below level 2.
create function levels_hold(levels jsonb) returns boolean language sql immutable as $$
    select coalesce(bool_and(case
               when l.kind in ('battery-low', 'battery-failed', 'mains-lost', 'mains-restored', 'network-lost',
                               'network-restored', 'device-silent', 'device-restored', 'tamper', 'fault') then false
               when l.kind in ('fall', 'smoke', 'heat', 'carbon-monoxide', 'gas', 'seizure', 'panic', 'person-down', 'button',
                               'pull-cord', 'bogus-caller', 'intruder', 'unknown') then l.level in ('1', '2')
               else l.level in ('1', '2', '3') end), false)
      from jsonb_each_text(levels) l (kind, level)
$$;

create table priority_policies (
    id             bigint generated always as identity primary key,
    council_id     uuid references councils,       -- null: the service's own, for councils that have none
    version        integer not null check (version > 0),
    levels         jsonb not null check (levels_hold(levels)),       -- kind to level
    possible_fall  smallint not null check (possible_fall in (1, 2)), -- the level of a fall that its detector is not sure of
    rise_from_3_min integer check (rise_from_3_min between 1 and 1440), -- minutes unclaimed; null: does not rise by age
    rise_from_2_min integer check (rise_from_2_min between 1 and 1440),
    repeat_presses smallint check (repeat_presses between 1 and 20),  -- further presses that raise a level; null: none do
    on_floor_min   integer check (on_floor_min between 1 and 1440),   -- minutes on the floor that make it level 1
    made_by        text not null references staff (username),
    made_at        timestamptz not null,
    why            text not null check (btrim(why) <> ''),
    unique nulls not distinct (council_id, version),
    constraint the_first_is_built_in check (council_id is not null or version > 1) -- alerts/policy.py
);
create trigger priority_policies_append_only before update or delete on priority_policies
    for each row execute function refuse_change();
create trigger priority_policies_no_truncate before truncate on priority_policies
    for each statement execute function refuse_change();

-- Every alert names the policy by which it has its level. Those until now were raised by the built-in one.
alter table alerts add column policy text not null default 'Service 1' check (policy <> '');
alter table alerts alter column policy drop default;
alter table alerts add column policy_id bigint references priority_policies; -- null: the built-in one
alter table alerts add column level_since timestamptz;  -- when it came to its level; null: when it was raised
alter table alerts add column rises_at timestamptz;     -- when its level rises by itself; null: it does not, as things stand
-- (An incident stays where it is: nobody in it has called, and who does is an alert of their own.)
alter table alerts add constraint only_an_open_alert_of_2_or_3_rises
    check (rises_at is null or (closed_at is null and priority in (2, 3) and home_id is not null));
create index alerts_rising on alerts (rises_at) where rises_at is not null;

-- A level never falls, and a technical alert never becomes a person's or the other way about. When something has changed on
-- which a rise depends (claimed or released, another alarm, on the floor, up again), it is looked at again: at once.
create function levels_only_rise() returns trigger language plpgsql as $$
declare
    on_floor boolean := new.floor_since is not null and new.lifted_at is null;
begin
    -- But a responder who is sent about equipment may come into danger: then it is an emergency.
    if new.priority > old.priority or (old.priority = 4 and new.priority not in (1, 4)) then
        raise exception 'the level of an alert never falls, and level 4 is for equipment alone' using errcode = 'check_violation';
    end if;
    if new.closed_at is not null or new.priority not in (2, 3) or new.home_id is null then
        new.rises_at := null;
    elsif new.alarm_count <> old.alarm_count
       or (new.claimed_by is null) <> (old.claimed_by is null) or new.waiting_since <> old.waiting_since
       or new.floor_since is distinct from old.floor_since or new.lifted_at is distinct from old.lifted_at then
        -- Who has claimed it has nothing to wait for but more presses, and the floor.
        new.rises_at := case when new.claimed_by is null or on_floor or new.alarm_count <> old.alarm_count then new.raised_at end;
    end if;
    return new;
end $$;
create trigger levels_only_rise
    before update of priority, alarm_count, claimed_by, waiting_since, floor_since, lifted_at, closed_at on alerts
    for each row execute function levels_only_rise();

-- What every figure about answering is made of, for commissioners and supervisors alike (docs/operators.md): alerts of people,
-- tests left out. A visit's arrival is the earliest that was written down.
create view alert_figures as
    select a.id, h.council_id, a.home_id, a.person_id, a.kind, a.priority, a.state, a.raised_at, a.first_claimed_at, a.closed_at,
           a.cause, extract(epoch from a.first_claimed_at - a.raised_at)::float8 as answer_s,
           exists (select 1 from visits v where v.alert_id = a.id)
               or exists (select 1 from alert_log l where l.alert_id = a.id and l.what in ('dispatched', 'visit')) as sent,
           least((select min(v.arrived_at) from visits v where v.alert_id = a.id),
                 (select min((l.detail ->> 'arrived_at')::timestamptz) from alert_log l
                   where l.alert_id = a.id and l.what in ('dispatched', 'visit'))) as arrived_at,
           coalesce(a.floor_since, case when a.cause = 'fall-on-floor' then a.raised_at end) as floor_since,
           coalesce(a.spoken_at, (select min(l.at) from alert_log l
                                   where l.alert_id = a.id and l.what = 'contact-answered' and l.detail ->> 'result' = 'spoke'
                                     and l.detail ->> 'line' <> 'contact')) as spoken_at,
           least(a.lifted_at, (select min(s.at) from visits v join visit_steps s on s.visit_id = v.id
                                where v.alert_id = a.id and s.state = 'lifted')) as lifted_at
      from alerts a left join homes h on h.id = a.home_id
     where a.priority < 4 and a.home_id is not null and a.case_key not like 'test:%';
