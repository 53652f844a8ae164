"""Half of the simulated days of a run; the other half is in test_second_worlds.py, so that two processes share them."""

from datetime import datetime

import pytest

from tests.simulation.days import AUGUST, FEBRUARY, Record, play_world


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("seed", "start"), [(1, FEBRUARY), (2, AUGUST)], ids=["February", "August"])
async def test_nobody_is_left_alone(database_url: str, seed: int, start: datetime, record_property: Record) -> None:
    await play_world(database_url, seed, start, record_property)
