-- How a message reaches a telephone: every try, every receipt, what contacts answer, and what belongs to nothing we know.

alter table messages drop constraint messages_state_check;
-- sent: a provider has taken it. delivered: it says that the message arrived; that is no answer. stale: nobody said so in time, or it
-- was no longer needed before it could be sent.
alter table messages add constraint messages_state_check
    check (state in ('pending', 'sending', 'sent', 'delivered', 'failed', 'stale'));
alter table messages add column delivered_at timestamptz;
alter table messages add column blanked_at   timestamptz;  -- its link has been taken out of the text: it cannot be sent again
alter table messages add column unheard_at   timestamptz;  -- when it was first said that no receipt had come in time
alter table messages drop constraint unfinished_has_a_deadline;
alter table messages add constraint unfinished_has_a_deadline
    check (state not in ('pending', 'sending') or next_try_at is not null);
alter table messages add constraint finished_has_none
    check (state not in ('delivered', 'failed', 'stale') or next_try_at is null);
alter table messages add constraint delivered_has_a_time check ((state = 'delivered') = (delivered_at is not null));
drop index messages_due;
create index messages_due on messages (next_try_at) where next_try_at is not null;

-- One row for each try, written before the message is handed over.
create table message_attempts (
    id           uuid primary key,
    message_id   uuid not null references messages,
    number       smallint not null check (number > 0),
    provider     text not null check (provider <> ''),
    begun_at     timestamptz not null,
    deadline     timestamptz not null check (deadline > begun_at), -- after it another engine may take the message up
    outcome      text check (outcome in ('accepted', 'unavailable', 'refused', 'interrupted')),
    ended_at     timestamptz,
    why          text not null default '',
    provider_ref text,                          -- the provider's own name for it
    receipt      text check (receipt in ('under-way', 'delivered', 'temporary-failure', 'technical-failure', 'permanent-failure')),
    receipt_at   timestamptz,
    unique (message_id, number),
    constraint an_outcome_has_a_time check ((outcome is null) = (ended_at is null)),
    constraint a_receipt_has_a_time  check ((receipt is null) = (receipt_at is null))
);
-- Nobody hands the same message over twice at once.
create unique index message_attempts_one_under_way on message_attempts (message_id) where outcome is null;
create index message_attempts_by_ref on message_attempts (provider_ref) where provider_ref is not null;

-- What providers say became of a try. Nothing is changed here, and the same one twice is one.
create table message_receipts (
    id           bigint generated always as identity primary key,
    attempt_id   uuid not null references message_attempts,
    provider     text not null,
    status       text not null,                 -- in the provider's own word
    content_hash bytea not null unique,
    received_at  timestamptz not null
);
create index message_receipts_by_attempt on message_receipts (attempt_id, id);
create trigger message_receipts_append_only before update or delete on message_receipts
    for each row execute function refuse_change();
create trigger message_receipts_no_truncate before truncate on message_receipts
    for each statement execute function refuse_change();

-- What contacts say by text message or with a key of their telephone, and what we made of it.
create table replies (
    id           bigint generated always as identity primary key,
    provider     text not null,
    channel      text not null check (channel in ('sms', 'voice')),
    sender       text not null,                 -- the number, in E.164 where it is one
    words        text not null check (char_length(words) <= 2000),
    content_hash bytea not null unique,
    received_at  timestamptz not null,
    became       text not null check (became in (
        'going', 'cannot', 'too-late', 'not-understood', 'no-question', 'two-people', 'unknown-number')),
    ask_id       uuid references asks,
    constraint an_answer_has_its_question check ((became in ('going', 'cannot')) <= (ask_id is not null))
);
create index replies_by_time on replies (received_at);
create trigger replies_append_only before update or delete on replies
    for each row execute function refuse_change();
create trigger replies_no_truncate before truncate on replies
    for each statement execute function refuse_change();

-- What came back from a provider, with its right signature or token, and belongs to nothing we know, or cannot be read.
create table stray_callbacks (
    content_hash bytea primary key,
    provider     text not null,
    why          text not null,
    raw          bytea not null check (octet_length(raw) <= 65536),
    received_at  timestamptz not null
);
create index stray_callbacks_by_time on stray_callbacks (received_at);

-- Whose number a text message comes from: looked for by its last digits, then compared in full.
create index contacts_by_phone_end on contacts (right(regexp_replace(phone, '[^0-9]', '', 'g'), 6)) where phone <> '';

-- Browsers in which a contact lets us ring.
create table push_subscriptions (
    id         uuid primary key,
    staff_id   uuid not null references staff,  -- the contact's login
    endpoint   text not null unique check (endpoint like 'http%'),
    p256dh     text not null,
    auth       text not null,
    created_at timestamptz not null,
    gone_at    timestamptz                      -- the push service says that it is no more
);
create index push_subscriptions_by_login on push_subscriptions (staff_id) where gone_at is null;
