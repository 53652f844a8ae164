"""A real start: configuration for a server of a council's own, backups, and a doctor."""
