"""The hub's second look at what a pendant's trigger let through: a fall, a possible fall, or none (docs/falls.md)."""
