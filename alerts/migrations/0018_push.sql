-- Browsers in which a carer lets us ring ("devices"): what each is called, how each try went there, what that says of the way.

alter table push_subscriptions drop constraint push_subscriptions_endpoint_check;
alter table push_subscriptions add constraint an_endpoint_is_https
    check (endpoint like 'https://%' and char_length(endpoint) <= 2048);
alter table push_subscriptions add column name text not null default '' check (char_length(name) <= 60);

-- How a try went at one device. A row can be begun by the receipt, which may be quicker than our own note.
create table push_deliveries (
    attempt_id      uuid not null references message_attempts,
    subscription_id uuid not null references push_subscriptions on delete cascade,
    outcome         text check (outcome in ('accepted', 'unavailable', 'refused', 'gone')),
    shown_at        timestamptz,                -- the device says that it shows the message: that is no answer
    primary key (attempt_id, subscription_id),
    constraint something_is_known check (outcome is not null or shown_at is not null)
);
create index push_deliveries_by_device on push_deliveries (subscription_id, attempt_id);

-- A way by push is a device: it exists while its device can be rung, and for the contacts whose login let us ring there.
create function a_way_by_push_is_a_device() returns trigger language plpgsql as $$
begin
    delete from contact_ways where channel = 'push' and address = old.id::text;
    return null;
end $$;
create trigger push_subscriptions_that_are_gone after update of gone_at on push_subscriptions
    for each row when (new.gone_at is not null) execute function a_way_by_push_is_a_device();
create trigger push_subscriptions_that_move after update of staff_id on push_subscriptions
    for each row when (new.staff_id <> old.staff_id) execute function a_way_by_push_is_a_device();
create trigger push_subscriptions_that_are_removed after delete on push_subscriptions
    for each row execute function a_way_by_push_is_a_device();

create function a_device_is_of_one_login() returns trigger language plpgsql as $$
begin
    delete from contact_ways where channel = 'push' and contact_id = new.id;
    return null;
end $$;
create trigger contacts_of_another_login after update of staff_id on contacts
    for each row when (new.staff_id is distinct from old.staff_id) execute function a_device_is_of_one_login();

-- A test message that a device shows tests the way to every contact whose login it is.
create function a_device_that_shows_a_test_is_a_way() returns trigger language plpgsql as $$
begin
    insert into contact_ways (contact_id, channel, address, tested_at)
    select c.id, 'push', s.id::text, new.shown_at
      from message_attempts t
      join messages m on m.id = t.message_id and m.purpose = 'test'
      join push_subscriptions s on s.id = new.subscription_id and s.gone_at is null
      join contacts c on c.staff_id = s.staff_id
     where t.id = new.attempt_id
    on conflict (contact_id, channel, address) do update set tested_at = excluded.tested_at
     where contact_ways.tested_at is null or contact_ways.tested_at < excluded.tested_at;
    return null;
end $$;
create trigger push_deliveries_test_the_way after insert or update of shown_at on push_deliveries
    for each row when (new.shown_at is not null) execute function a_device_that_shows_a_test_is_a_way();

-- Of a push message the devices speak for themselves: handed over is not shown, and one that shows nothing before the message
-- has ended has failed.
create function a_test_push_tests_the_devices() returns trigger language plpgsql as $$
begin
    insert into contact_ways (contact_id, channel, address, failed_at)
    select distinct c.id, 'push', s.id::text, coalesce(new.sent_at, new.created_at) + interval '1 microsecond'
      from message_attempts t
      join push_deliveries d on d.attempt_id = t.id and d.shown_at is null
      join push_subscriptions s on s.id = d.subscription_id and s.gone_at is null
      join contacts c on c.staff_id = s.staff_id
     where t.message_id = new.id
    on conflict (contact_id, channel, address) do update set failed_at = excluded.failed_at
     where contact_ways.failed_at is null or contact_ways.failed_at < excluded.failed_at;
    return null;
end $$;
create trigger messages_test_the_devices after insert or update of state on messages
    for each row when (new.purpose = 'test' and new.channel = 'push' and new.state in ('failed', 'stale'))
    execute function a_test_push_tests_the_devices();
drop trigger messages_test_the_way on messages;
create trigger messages_test_the_way after insert or update of state on messages
    for each row when (new.purpose = 'test' and new.recipient <> '' and new.contact_id is not null and new.channel <> 'push')
    execute function a_test_message_tests_the_way();
delete from contact_ways where channel = 'push';
