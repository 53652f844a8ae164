"""A service with people of two councils, whom each knows by references."""

import pytest

from telecare.register import councils
from tests.dashboard.outcomes.town import Town
from tests.dashboard.world import World


@pytest.fixture
async def town(served: World) -> Town:
    """Mary of Anytown, Ravi of Otherham, and a commissioner of each council beside the one of all."""
    await served.add_home("hub-2", "Ravi Patel", council="Otherham Council")
    town = Town(served)
    async with served.pool.connection() as conn:
        for name in ("Anytown Council", "Otherham Council"):
            council = await councils.council_named(conn, name)
            town.councils[name.split(" ")[0].lower()] = council.id
        await councils.set_reference(conn, served.people["hub-1"], town.councils["anytown"], "AT-0000")
        await councils.set_reference(conn, served.people["hub-2"], town.councils["otherham"], "OH-0000")
    await town.add_commissioner("anytown")
    await town.add_commissioner("otherham")
    return town
