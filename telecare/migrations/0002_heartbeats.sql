-- Each service says that it lives and does its work; whoever asks for its health reads this.
create table service_heartbeats (
    service text primary key,
    at      timestamptz not null,
    detail  jsonb not null default '{}'
);
