"""The home hub: devices in over a local socket, a durable outbox, MQTT out. What it promises is in README.md."""
