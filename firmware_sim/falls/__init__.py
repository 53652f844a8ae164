"""`telecare falls`: fits the fall detector to recorded trials, and measures it on them (docs/falls.md)."""
