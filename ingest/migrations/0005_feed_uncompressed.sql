-- The feed's rows are read once and deleted; compressing their long arrays costs more than it saves.
alter table readings_feed alter column series_ids set storage external;
alter table readings_feed alter column ats set storage external;
alter table readings_feed alter column vals set storage external;
