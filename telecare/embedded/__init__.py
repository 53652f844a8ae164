"""Embedded parts: a PostgreSQL and an MQTT broker that `telecare up` starts where none is configured."""
