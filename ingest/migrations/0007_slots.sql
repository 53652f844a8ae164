-- Which process of ingest holds which session at the broker. A session outlives its process, and what the broker keeps in it
-- must be fetched by somebody: the next process takes its place, or one that runs empties it.
create table ingest_slots (
    lane       text not null check (lane in ('alarms', 'readings')),
    slot       integer not null check (slot > 0),
    holder     uuid not null,
    held_until timestamptz not null,
    primary key (lane, slot)
);
