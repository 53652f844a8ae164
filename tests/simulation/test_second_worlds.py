"""The other half of the simulated days (test_first_worlds.py)."""

from datetime import datetime

import pytest

from tests.simulation.days import AUGUST, FEBRUARY, Record, play_world


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("seed", "start"), [(3, FEBRUARY), (4, AUGUST)], ids=["February", "August"])
async def test_nobody_is_left_alone(database_url: str, seed: int, start: datetime, record_property: Record) -> None:
    await play_world(database_url, seed, start, record_property)
