-- A test message that arrived, or did not, says whether the way to the contact works.
create function a_test_message_tests_the_way() returns trigger language plpgsql as $$
begin
    -- A message that was handed over counts until it is known not to have arrived.
    if new.state in ('sent', 'delivered') then
        insert into contact_ways (contact_id, channel, address, tested_at)
        values (new.contact_id, new.channel, new.recipient, coalesce(new.sent_at, new.created_at))
        on conflict (contact_id, channel, address) do update set tested_at = excluded.tested_at
         where contact_ways.tested_at is null or contact_ways.tested_at < excluded.tested_at;
    elsif new.state in ('failed', 'stale') then
        -- Dated by the message: the failure of an older one does not undo a newer one that arrived.
        insert into contact_ways (contact_id, channel, address, failed_at)
        values (new.contact_id, new.channel, new.recipient, coalesce(new.sent_at, new.created_at) + interval '1 microsecond')
        on conflict (contact_id, channel, address) do update set failed_at = excluded.failed_at
         where contact_ways.failed_at is null or contact_ways.failed_at < excluded.failed_at;
    end if;
    return null;
end $$;
create trigger messages_test_the_way after insert or update of state on messages
    for each row when (new.purpose = 'test' and new.recipient <> '') execute function a_test_message_tests_the_way();
