"""Migrations: once each, in order, never differently."""

import psycopg
import pytest

from telecare.errors import CannotStart
from telecare.migrate import all_migrations, migrate


def test_all_services_are_migrated_ground_floor_first(empty_database_url: str) -> None:
    applied = migrate(empty_database_url)
    assert applied == all_migrations()
    assert applied[0].service == "telecare"
    assert {m.service for m in applied} == {"telecare", "ingest", "alerts", "dashboard"}


def test_a_second_run_does_nothing(database_url: str) -> None:
    assert migrate(database_url) == []


def test_a_migration_that_was_changed_afterwards_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("update schema_migrations set digest = 'another' where service = 'ingest'")
    with pytest.raises(CannotStart, match="differs from the one that was applied"):
        migrate(database_url)


def test_an_unreachable_database_is_one_clear_line() -> None:
    with pytest.raises(CannotStart, match="the database cannot be reached") as caught:
        migrate("postgresql://nobody:x@127.0.0.1:1/none")
    assert "\n" not in str(caught.value)
