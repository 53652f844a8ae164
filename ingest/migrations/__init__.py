"""What ingest keeps: alarms, readings, hub states, and what could not be read."""

ORDER = 1  # after the register
