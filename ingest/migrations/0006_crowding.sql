-- A hub that sends more alarms than a home can need: its further ones are taken after those of all others.
alter table alarms add column crowding boolean not null default false;
alter table alarms_waiting add column crowding boolean not null default false;
create index alarms_waiting_order on alarms_waiting (crowding, received_at);
