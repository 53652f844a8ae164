"""The register: people, homes, hubs, devices, contacts, staff, councils."""

ORDER = 0  # nothing stands below it
