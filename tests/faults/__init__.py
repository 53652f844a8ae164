"""Faults put into a running system while alarms are pressed: none may be lost, none doubled (docs/faults.md)."""
