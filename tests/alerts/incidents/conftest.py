"""A district to lose."""

import pytest

from telecare.db import Pool
from telecare.settings import Settings
from tests.alerts.incidents.district import District
from tests.alerts.test_engine import employ


@pytest.fixture
async def district(pool: Pool, database_url: str) -> District:
    """Nobody lives there yet; two operators work, and ingest listens."""
    settings = Settings.model_validate({"database_url": database_url, "mqtt_url": "mqtt://127.0.0.1:1"})
    made = District(pool, settings)
    async with pool.connection() as conn:
        await employ(conn, "operator", "second")
    await made.later(seconds=0)
    return made
