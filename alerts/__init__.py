"""Turns alarms into alerts, and owns an alert's life until a person has answered and closed it."""
