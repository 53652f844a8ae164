"""From the broker to the store: validate, deduplicate, commit, and only then acknowledge."""
