-- Whether the wearer of an alert has been spoken to is asked each time that something is to be said again.
create index commands_by_alert on commands (alert_id) where alert_id is not null;
