-- Asking contacts to go, one after the other, and what they answer.

create table asks (
    id          uuid primary key,
    alert_id    bigint not null references alerts,
    contact_id  uuid not null references contacts,
    token_hash  bytea not null unique,         -- sha256 of the token in the link of the message
    asked_by    text not null,                 -- a username, or 'system'
    asked_at    timestamptz not null,
    answer_by   timestamptz,                   -- when the next contact is asked; null once answered, passed or over
    answer      text check (answer in ('going', 'cannot')),
    minutes     smallint check (minutes between 1 and 240), -- how long the way takes, as the contact thinks
    answered_at timestamptz,
    passed_at   timestamptz,                   -- no answer in time, or somebody else goes; an answer is still taken
    over_at     timestamptz,                   -- the alert has ended: no answer is taken any more
    unique (alert_id, contact_id),             -- each contact is asked once about an alert
    constraint an_answer_has_a_time  check ((answer is null) = (answered_at is null)),
    constraint only_who_goes_has_a_way check (minutes is null or answer is not distinct from 'going'),
    constraint waiting_has_a_deadline
        check (answer is not null or passed_at is not null or over_at is not null or answer_by is not null)
);
create index asks_due on asks (answer_by) where answer_by is not null;
create index asks_by_contact on asks (contact_id, asked_at);

-- Not every message belongs to an alert: an invitation, a test of the way to a contact.
alter table messages alter column alert_id drop not null;
alter table messages add column purpose text not null default 'ask'
    check (purpose in ('ask', 'going', 'over', 'invitation', 'test'));
alter table messages add constraint only_some_have_no_alert
    check (alert_id is not null or purpose in ('invitation', 'test'));
create index messages_by_contact on messages (contact_id, created_at);
