"""The register: people, homes, hubs, devices, contacts, staff and councils."""
