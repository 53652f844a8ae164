-- Readings summed up, hour by hour (UTC) and day by day (of the council's clock). Kept up to date from the feed, which
-- hands over each reading once; a late one corrects its hour and its day.

create table rollups_hourly (
    series_id   integer not null references series,
    at          timestamptz not null,            -- when the hour begins
    n           integer not null check (n > 0),
    total       double precision not null,       -- sum of the values; of a boolean: how often it was true
    least       double precision not null,
    greatest    double precision not null,
    first_at    timestamptz not null,
    first_value double precision not null,
    last_at     timestamptz not null,
    last_value  double precision not null,
    primary key (series_id, at)
);

create table rollups_daily (
    series_id   integer not null references series,
    day         date not null,                   -- 23, 24 or 25 hours long
    n           integer not null check (n > 0),
    total       double precision not null,
    least       double precision not null,
    greatest    double precision not null,
    first_at    timestamptz not null,
    first_value double precision not null,
    last_at     timestamptz not null,
    last_value  double precision not null,
    primary key (series_id, day)
);
