"""What alerts keeps: alerts, their log, messages and commands."""

ORDER = 2  # after ingest, whose alarms it takes
