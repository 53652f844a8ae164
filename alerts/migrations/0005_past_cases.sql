-- Cases from before: of a system that a council leaves, or of a simulated year. Nobody waits in them and no hub of ours heard
-- them, so they have no hub; they are closed from the start, and known by the name that they had there.

alter table alarms alter column hub drop not null;
alter table alarms add column past boolean not null default false;
alter table alarms add constraint heard_by_a_hub check (hub is not null or past);

alter table alerts alter column hub drop not null;
alter table alerts add column past_case text unique;
alter table alerts add constraint live_has_a_hub check (hub is not null or past_case is not null);
alter table alerts add constraint past_is_closed check (past_case is null or state = 'closed');
create index alerts_by_time on alerts (raised_at) where priority < 4;
