"""Tests of the dashboard: a real database, a real server, a real browser."""
