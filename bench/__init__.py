"""Benchmarks that print figures, beside the machine's own limit measured in the same run. Never timed tests."""
