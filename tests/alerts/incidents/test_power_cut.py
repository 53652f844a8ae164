"""A town without power: two thousand hubs lose their mains, fall silent, and come back; and a seeded world of all."""

import random
from typing import Final

import pytest

from tests.alerts.incidents.district import District
from tests.helpers import one, rows

HOMES: Final = 2000
# Each step is a handful of statements, whatever the number of homes; in homes one by one there would be thousands.
STEPS: Final = 20
# What must be so at any moment, of every world.
PLACED_TWICE_OR_NOWHERE: Final = """
    select count(*) from alarms a
     where (select count(*) from alert_alarms p where p.alarm_id = a.id)
         + (select count(*) from alarms_waiting w where w.alarm_id = a.id) <> 1
"""
PERSONS_IN_INCIDENTS: Final = """
    select count(*) from incidents i join alert_alarms p using (alert_id) join alarms a on a.id = p.alarm_id
     where a.kind in ('button', 'fall', 'inactivity')
"""


async def test_a_power_cut_of_a_town_and_one_press_inside(district: District) -> None:
    hubs = await district.add_homes(HOMES)
    lone = (await district.add_homes(1, "TQ1 1AA", "lone-"))[0]
    await district.alarms("mains-lost", hubs)
    pressed = await district.press(hubs[777])
    assert await district.engine.take_step()
    assert (await district.open())[0]["kind"] == "button"  # before any of them, whatever the queue
    assert await district.work() < STEPS
    assert [(a["kind"], a["alarm_count"]) for a in await district.open()] == [("button", 1), ("mains-lost", HOMES)]
    # The lines go too. All are due at once, and so is a hub elsewhere that has nothing to do with it.
    await district.later(seconds=150)
    assert await district.work() < STEPS
    press, incident, other = await district.open()
    assert (press["id"], other["hub"]) == ((await district.alert_of(pressed))["id"], lone)
    assert incident["reason"] == "Incident: 2000 homes in EX4 silent since 14:00. Shared cause: power cut."
    assert incident["alarm_count"] == 2 * HOMES
    # Ten minutes later all are back, and say so.
    await district.later(minutes=10)
    await district.hear([*hubs, lone])
    await district.alarms("mains-restored", hubs)
    await district.alarms("network-restored", hubs)
    assert await district.work() < STEPS
    alert = await district.incident()
    assert alert["incident"]["back"] == HOMES
    assert len(alert["log"]) < 20
    assert len(await district.open()) == 3
    assert await one(district.pool, PLACED_TWICE_OR_NOWHERE) == 0
    assert await one(district.pool, "select count(*) from alarms_waiting") == 0
    assert await one(district.pool, "select count(*) from silences where ended_at is null") == 0


async def test_a_thousand_hubs_fall_silent_in_two_batches_with_one_between(district: District) -> None:
    district.settings = district.settings.model_copy(update={"silence_batch": 400})
    district.supervision.settings = district.settings
    await district.add_homes(1000)
    await district.later(seconds=10)
    await district.add_homes(1, "TQ1 1AA", "lone-")
    await district.later(seconds=140)
    assert await district.supervision.hub_step()
    await district.later(seconds=10)  # the lone one is due while the others are still being noticed
    await district.work()
    noticed = await rows(
        district.pool, "select hub, noticed_at from silences where hub = 'lone-1' or hub = 'h-999' order by hub"
    )
    assert [at for _, at in noticed] == [district.now] * 2
    assert len(await district.open()) == 2


class Night:
    """Everything at random, by one seed."""

    def __init__(self, district: District, seed: int) -> None:
        self.district, self.random = district, random.Random(seed)
        self.hubs: list[str] = []
        self.persons: set[str] = set()  # alarms of people

    async def happen(self) -> None:
        """One thing, in one place."""
        district, some = self.district, self.random.sample(self.hubs, self.random.randint(1, 12))
        happening = self.random.choice(["lose", "restore", "silence", "hear", "press", "press", "answer"])
        if happening == "lose":
            await district.alarms(self.random.choice(["mains-lost", "network-lost"]), some)
        elif happening == "restore":
            await district.alarms(self.random.choice(["mains-restored", "network-restored"]), some)
        elif happening == "hear":
            await district.hear(self.hubs)
        elif happening == "press":
            kind = self.random.choice(["button", "fall", "inactivity"])
            self.persons.add(await district.press(some[0], kind))
        elif happening == "answer":
            await self.answer()
        await district.later(seconds=self.random.choice([1, 20, 90, 200]))
        await district.work()

    async def answer(self) -> None:
        """Somebody claims what is on top; a person's alert is closed."""
        for alert in await self.district.open():
            if alert["state"] == "raised":
                await self.district.claim(alert["id"])
                break

    async def check(self) -> None:
        """What must always be so."""
        district = self.district
        assert await one(district.pool, PLACED_TWICE_OR_NOWHERE) == 0
        assert await one(district.pool, PERSONS_IN_INCIDENTS) == 0
        assert await one(district.pool, "select count(*) from alarms_waiting") == 0
        alerts = await district.open()
        levels = [(alert["priority"], alert["incident"] is not None) for alert in alerts]
        assert levels == sorted(levels)  # no incident above a person's alert
        areas = [alert["address"] for alert in alerts if alert["incident"] is not None]
        assert len(areas) == len(set(areas))
        people = [alert["person"] for alert in alerts if alert["person"] is not None]
        assert len(people) == len(set(people))
        for alert in alerts:
            if alert["incident"] is not None:
                homes = (await district.alert(alert["id"]))["incident"]["homes"]
                assert alert["incident"]["back"] == sum(1 for home in homes if not home["troubles"])


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_the_night_brings_nobody_is_merged(district: District, seed: int) -> None:
    night = Night(district, seed)
    night.hubs = await district.add_homes(40) + await district.add_homes(15, "EX1 1AA", "o-")
    for _ in range(25):
        await night.happen()
        await night.check()
    for alarm in night.persons:
        alert = await district.alert_of(alarm)
        assert alert["incident"] is None
        assert alert["person"] is not None
    assert await one(district.pool, "select count(*) from incidents") > 0  # that is, there was something to merge with


async def test_a_mad_hub_does_not_keep_a_power_cut_waiting(district: District) -> None:
    hubs = await district.add_homes(20)
    mad = [await district.press(hubs[0]) for _ in range(250)]
    await district.execute("update alarms_waiting set crowding = true")
    await district.alarms("mains-lost", hubs)
    assert await district.engine.take_step()
    assert (await district.incident())["incident"]["homes_count"] == 20
    pressed = await district.press(hubs[1])
    assert await district.engine.take_step()  # nor anybody else who calls
    assert (await district.alert_of(pressed))["state"] == "raised"
    await district.work()
    assert (await district.alert_of(mad[-1]))["alarm_count"] == 250
