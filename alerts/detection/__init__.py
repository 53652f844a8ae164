"""Detection: patterns in readings that a person should look at. What it finds enters as an alarm of `detector`."""
