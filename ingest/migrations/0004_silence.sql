-- When a hub counts as silent if nothing more is heard of it. Each sign of life moves it; a last will does not.

alter table hub_states add column silent_at timestamptz not null default clock_timestamp() + interval '150 seconds';
update hub_states set silent_at = received_at + make_interval(secs => 2 * coalesce(heartbeat_s, 60) + 30);
create index hub_states_by_silence on hub_states (silent_at);
