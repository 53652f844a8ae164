-- Those on call are rung when nobody takes an alert, when one that was taken is left alone, and when nobody could see one.

-- What somebody on call is to hear of. Written by the ladder with its step; told in bundles by a worker of its own.
create table on_call_needs (
    id         bigint generated always as identity primary key,
    alert_id   bigint references alerts,
    trouble_id bigint references troubles,       -- the empty room
    duty       text not null check (duty in ('supervisor', 'second-site')),
    why        text not null check (why in ('unclaimed', 'left-alone', 'no-screen')),
    begun_at   timestamptz not null,
    ended_at   timestamptz,
    became     text check (became in ('told', 'nobody', 'not-needed')),  -- nobody: nobody is on call at all
    constraint about_an_alert_or_the_room
        check (num_nonnulls(alert_id, trouble_id) = 1 and (trouble_id is not null) = (why = 'no-screen')),
    constraint an_end_says_how check ((ended_at is null) = (became is null))
);
create index on_call_needs_open on on_call_needs (begun_at) where ended_at is null;
create index on_call_needs_by_trouble on on_call_needs (trouble_id, duty) where trouble_id is not null;

-- What is still so: the alert still waits since then, is still left alone, or the room is still empty.
create view on_call_needs_that_stand as
    select n.id
      from on_call_needs n
      left join alerts a on a.id = n.alert_id
      left join troubles t on t.id = n.trouble_id
     where case n.why
           when 'unclaimed' then a.closed_at is null and a.claimed_by is null and a.waiting_since <= n.begun_at
           when 'left-alone' then a.closed_at is null and a.claimed_by is not null and a.missed > 0
           else t.ended_at is null end;

-- A message goes to a contact of a person, or to somebody on call.
alter table messages alter column contact_id drop not null;
alter table messages add column on_call_id uuid references on_call_people;
alter table messages add constraint to_one_person check (num_nonnulls(contact_id, on_call_id) = 1);
alter table messages drop constraint messages_purpose_check;
alter table messages add constraint messages_purpose_check check (purpose in (
    'ask', 'going', 'over', 'invitation', 'test', 'next', 'late', 'round', 'there', 'hospital', 'information', 'closing',
    'on-call'));
alter table messages drop constraint only_some_have_no_alert;
alter table messages add constraint only_some_have_no_alert
    check (alert_id is not null or purpose in ('invitation', 'test', 'information', 'on-call'));
alter table messages add constraint those_on_call_are_rung_or_tested
    check (case when on_call_id is null then purpose <> 'on-call' else purpose in ('on-call', 'test') end);
create index messages_to_on_call on messages (recipient, created_at) where purpose = 'on-call';

-- One message may tell of many alerts. Its `alert_id` is the most urgent of them.
create table on_call_need_messages (
    need_id    bigint not null references on_call_needs,
    message_id uuid not null references messages,
    primary key (need_id, message_id)
);
create index on_call_need_messages_by_message on on_call_need_messages (message_id);

-- A test message that arrived, or did not, says whether the way works: also to somebody on call, as to a contact (0013).
create function a_test_on_call_tests_the_way() returns trigger language plpgsql as $$
declare
    at timestamptz := coalesce(new.sent_at, new.created_at);
begin
    if new.state in ('sent', 'delivered') then
        insert into on_call_ways (on_call_id, channel, address, tested_at)
        values (new.on_call_id, new.channel, new.recipient, at)
        on conflict (on_call_id, channel, address) do update set tested_at = excluded.tested_at
         where on_call_ways.tested_at is null or on_call_ways.tested_at < excluded.tested_at;
    elsif new.state in ('failed', 'stale') then
        insert into on_call_ways (on_call_id, channel, address, failed_at)
        values (new.on_call_id, new.channel, new.recipient, at + interval '1 microsecond')
        on conflict (on_call_id, channel, address) do update set failed_at = excluded.failed_at
         where on_call_ways.failed_at is null or on_call_ways.failed_at < excluded.failed_at;
    end if;
    return null;
end $$;
create trigger messages_test_the_way_on_call after insert or update of state on messages
    for each row when (new.purpose = 'test' and new.recipient <> '' and new.on_call_id is not null)
    execute function a_test_on_call_tests_the_way();
drop trigger messages_test_the_way on messages;
create trigger messages_test_the_way after insert or update of state on messages
    for each row when (new.purpose = 'test' and new.recipient <> '' and new.contact_id is not null)
    execute function a_test_message_tests_the_way();
