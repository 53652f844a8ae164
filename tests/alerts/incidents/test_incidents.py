"""A district that goes silent, or loses its power: one incident, and everybody who presses alone."""

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from alerts import actions
from alerts.errors import Incomplete
from alerts.incidents.checks import Check, check_homes
from alerts.service import Engine
from telecare.vocabulary import Cause, ConfirmedBy, Outcome
from tests.alerts.incidents.district import TWO, District
from tests.helpers import one, rows


def kinds(alerts: list[dict[str, Any]]) -> list[tuple[bool, str]]:
    return [(alert["incident"] is not None, alert["kind"]) for alert in alerts]


async def places(district: District) -> list[Any]:
    """How many alarms there are, how many have a place, and how many wait."""
    found = await rows(
        district.pool,
        """select (select count(*) from alarms), (select count(*) from alert_alarms),
                  (select count(*) from alarms_waiting)""",
    )
    return list(found[0])


async def test_ten_silent_hubs_of_a_district_are_one_incident(district: District) -> None:
    hubs = await district.add_homes(300)
    await district.add_homes(300, "EX1 1AA", "o-")
    await district.later(seconds=149)
    await district.hear([f"o-{n}" for n in range(1, 301)])
    await district.hear(hubs[10:])
    await district.work()
    assert await district.open() == []
    await district.later(seconds=1)
    await district.work()
    (alert,) = await district.open()
    assert (alert["kind"], alert["priority"], alert["person"], alert["home"]) == ("device-silent", 3, None, None)
    assert alert["reason"] == "Incident: 10 homes in EX4 silent since 14:00."
    assert alert["alarm_count"] == 10
    incident = (await district.incident())["incident"]
    assert (incident["area"], incident["homes_count"], incident["cause"]) == ("EX4", 10, None)
    assert [home["troubles"] for home in incident["homes"]] == [["silent"]] * 10
    assert await places(district) == [10, 10, 0]


async def test_nine_are_nine_and_the_tenth_makes_them_one(district: District) -> None:
    hubs = await district.add_homes(300)
    await district.alarms("mains-lost", hubs[:9])
    await district.work()
    singles = await district.open()
    assert kinds(singles) == [(False, "mains-lost")] * 9
    claimed, noted = singles[0]["id"], singles[1]["id"]
    await district.claim(claimed)
    async with district.pool.connection() as conn:
        await actions.write_log(conn, noted, "second", "note", {"text": "Rang them"}, district.now)
    await district.later(seconds=299)
    await district.hear(hubs)
    await district.alarms("mains-lost", hubs[9:10])
    await district.work()
    incident = await district.incident()
    assert incident["incident"]["homes_count"] == 10
    # What somebody has in hand, or has written something to, stays; the others are part of it now.
    assert {alert["id"] for alert in await district.open()} == {incident["id"], claimed, noted}
    folded = await district.alert(singles[2]["id"])
    assert (folded["state"], folded["confirmed_by"], folded["how"]) == (
        "closed", "system", f"part of incident {incident['id']}"
    )  # fmt: skip
    assert folded["log"][-1]["what"] == "closed"
    assert folded["log"][-1]["detail"]["incident"] == incident["id"]
    assert "Alerts of single homes that are part of it, closed: " in str(incident["log"])
    assert await places(district) == [10, 10, 0]
    own = {home["address"]: [one["id"] for one in home["alerts"]] for home in incident["incident"]["homes"]}
    assert sorted(number for numbers in own.values() for number in numbers) == sorted([claimed, noted])


async def test_an_alert_with_something_else_in_it_stays(district: District) -> None:
    hubs = await district.add_homes(300)
    await district.press(hubs[0], "battery-low")
    await district.alarms("mains-lost", hubs[:9])
    await district.work()
    await district.alarms("mains-lost", hubs[9:12])
    await district.work()
    assert kinds(await district.open()) == [(True, "mains-lost"), (False, "battery-low")]


async def test_losses_that_are_far_apart_are_no_incident(district: District) -> None:
    hubs = await district.add_homes(300)
    for number in range(0, 20, 2):
        await district.alarms("mains-lost", hubs[number : number + 2])
        await district.later(seconds=70)  # at most ten in five minutes
        await district.hear(hubs)
        await district.work()
    assert kinds(await district.open()) == [(False, "mains-lost")] * 20


async def test_a_twentieth_of_a_small_area_is_enough_but_not_two_homes(district: District) -> None:
    small = await district.add_homes(12, "EX1 1AA", "s-")
    await district.add_homes(20, "", "v-", "Village Council")
    await district.alarms("mains-lost", [*small[:2], "v-1", "v-2", "v-3"])
    await district.work()
    assert kinds(await district.open()) == [(True, "mains-lost"), (False, "mains-lost"), (False, "mains-lost")]
    assert (await district.incident())["incident"]["area"] == "Village Council"


async def test_two_areas_are_two_incidents(district: District) -> None:
    hubs = await district.add_homes(50) + await district.add_homes(50, "EX4 1AB", "o-", "Otherham Council")
    await district.alarms("mains-lost", hubs)
    await district.work()
    assert [alert["reason"] for alert in await district.open()] == [
        "Incident: 50 homes in EX4 without mains power since 14:00. Shared cause: power cut."
    ] * 2


async def test_what_is_lost_later_joins_and_is_no_alert_of_its_own(district: District) -> None:
    hubs = await district.add_homes(300)
    await district.alarms("network-lost", hubs[:20])
    await district.work()
    number = (await district.incident())["id"]
    await district.claim(number)
    await district.later(hours=2)
    await district.hear(hubs[1:])  # the first falls silent
    await district.alarms("network-lost", hubs[20:21])
    await district.work()
    alert = await district.incident()
    assert (alert["id"], alert["alarm_count"], len(await district.open())) == (number, 22, 1)
    assert alert["reason"] == (
        "Incident: 21 homes in EX4 since 14:00: 1 silent, 20 on their second network. Shared cause: network."
    )
    worst = next(home for home in alert["incident"]["homes"] if home["address"] == "1 Mill Lane")
    assert worst["troubles"] == ["network", "silent"]
    assert [entry["what"] for entry in alert["log"]] == ["raised", "claimed", "alarm-joined"]


async def test_a_silent_hub_whose_last_word_was_of_lost_mains_shows_a_power_cut(district: District) -> None:
    hubs = await district.add_homes(30)
    await district.hear(hubs, mains=False)
    await district.later(seconds=150)
    await district.work()
    assert (await district.incident())["incident"]["cause"] == "power cut"


async def test_hubs_that_were_never_heard_count(district: District) -> None:
    hubs = await district.add_homes(30)
    await district.execute("delete from hub_states")
    await district.execute("update hubs set enrolled_at = %s", (TWO,))
    await district.later(hours=23.9)
    await district.work()
    assert await district.open() == []
    await district.later(hours=0.1)
    await district.work()
    assert (await district.incident())["incident"]["silent"] == len(hubs)


# ---------------------------------------------------------------- people


async def test_a_press_during_an_incident_is_an_alert_of_its_own_above_it(district: District) -> None:
    hubs = await district.add_homes(300)
    await district.alarms("mains-lost", hubs)
    await district.work()
    await district.later(minutes=1)
    pressed = await district.press(hubs[5])
    still = await district.press(hubs[6], "inactivity")
    await district.work()
    first, second, third = await district.open()
    assert (first["kind"], second["kind"], third["incident"] is not None) == ("button", "inactivity", True)
    assert (await district.alert_of(pressed))["person_name"] == "Resident 6"
    assert [alarm["kind"] for alarm in (await district.alert_of(still))["alarms"]] == ["inactivity"]
    listed = (await district.incident())["incident"]["homes"]
    assert [home["address"] for home in listed[:2]] == ["6 Mill Lane", "7 Mill Lane"]  # who called is at risk
    assert listed[0]["why"][0] == "open alert: Pendant pressed"


async def test_a_press_is_taken_before_a_power_cut_that_waits_longer(district: District) -> None:
    hubs = await district.add_homes(200)
    await district.alarms("mains-lost", hubs)
    await district.later(seconds=1)
    pressed = await district.press(hubs[5])
    assert await district.engine.take_step()
    assert (await district.alert_of(pressed))["state"] == "raised"
    assert (await places(district))[2] == 200


async def test_the_database_refuses_a_persons_alarm_in_an_incident(district: District) -> None:
    hubs = await district.add_homes(20)
    await district.alarms("mains-lost", hubs)
    await district.work()
    number = (await district.incident())["id"]
    await district.press(hubs[0])
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="no alarm of a person"):
        await district.execute(
            """insert into alert_alarms (alarm_id, alert_id, joined_at)
               select id, %s, now() from alarms where kind = 'button'""",
            (number,),
        )
    with pytest.raises(psycopg.errors.CheckViolation, match="an_incident_is_nobodys"):
        await district.execute("update alerts set person_id = (select id from people limit 1)")


async def test_an_incident_speaks_to_no_home_and_asks_no_contact(district: District) -> None:
    hubs = await district.add_homes(20)
    await district.alarms("mains-lost", hubs)
    await district.work()
    number = (await district.incident())["id"]
    await district.later(seconds=200)
    while await district.engine.deadline_step():
        pass
    await district.claim(number)
    whats = [entry["what"] for entry in (await district.alert(number))["log"]]
    assert whats == [
        "raised", "re-sounded", "escalated-supervisor", "escalated-second-site", "breached", "claimed",
    ]  # fmt: skip
    assert await one(district.pool, "select count(*) from commands") == 0
    assert await one(district.pool, "select count(*) from messages") == 0


# ---------------------------------------------------------------- the return


async def test_homes_that_are_back_say_so_and_somebody_closes_it(district: District) -> None:
    hubs = await district.add_homes(30)
    await district.later(seconds=150)
    await district.work()
    number = (await district.incident())["id"]
    await district.later(minutes=10)
    await district.hear(hubs[:29])
    await district.work()
    alert = await district.incident()
    assert alert["reason"] == "Incident: 1 home in EX4 silent since 14:00; 29 are back."
    assert [home["back_at"] for home in alert["incident"]["homes"]] == [None] + [district.now] * 29
    await district.claim(number)
    with pytest.raises(Incomplete, match="1 home is neither back nor checked"):
        await district.close(number)
    await district.hear(hubs)
    await district.later(minutes=1)
    await district.hear(hubs)
    await district.work()
    assert (await district.incident())["reason"] == (
        "Incident: all 30 homes in EX4 are back since 14:13; it began at 14:00."
    )
    await district.close(number)
    assert await district.open() == []
    assert await places(district) == [30, 30, 0]  # no alarm was made of the return


async def test_an_incident_that_nobody_claims_is_not_closed_by_itself(district: District) -> None:
    # Whoever pressed while the hub was dark pressed in vain: a person looks at the list.
    hubs = await district.add_homes(30)
    await district.alarms("mains-lost", hubs)
    await district.alarms("mains-restored", hubs)
    await district.work()
    await district.later(hours=10)
    await district.hear(hubs)
    await district.work()
    (alert,) = await district.open()
    assert (alert["state"], alert["alarm_count"], alert["incident"]["back"]) == ("raised", 60, 30)


async def test_power_that_comes_back_joins_also_after_the_incident_was_closed(district: District) -> None:
    hubs = await district.add_homes(300)
    await district.alarms("mains-lost", hubs)
    await district.work()
    number = (await district.incident())["id"]
    await district.alarms("mains-restored", hubs[:100])
    await district.work()
    assert (await district.incident())["incident"]["back"] == 100
    async with district.pool.connection() as conn:
        await incidents_checked(conn, district, number)
    await district.claim(number)
    await district.close(number)
    await district.later(hours=3)
    await district.hear(hubs)  # the states come first, and tell the same
    await district.work()
    await district.alarms("mains-restored", hubs[100:])
    await district.work()
    assert await district.open() == []
    alert = await district.alert(number)
    assert (alert["alarm_count"], alert["incident"]["back"]) == (600, 300)
    # A single home's return, long after, is as it ever was.
    await district.later(hours=1)
    await district.hear(hubs)
    await district.alarms("mains-restored", hubs[:1])
    await district.work()
    assert kinds(await district.open()) == [(False, "mains-restored")]


async def incidents_checked(conn: Any, district: District, number: int) -> None:
    await check_homes(conn, number, "operator", district.now, result=Check.SENT, words="wardens", all_left=True)


async def test_a_home_that_was_heard_is_not_back_while_it_has_no_mains(district: District) -> None:
    hubs = await district.add_homes(30)
    await district.alarms("mains-lost", hubs)
    await district.work()
    await district.later(seconds=150)
    await district.work()
    assert (await district.incident())["incident"]["silent"] == 30
    await district.later(minutes=10)
    await district.hear(hubs, mains=False)
    await district.work()
    alert = await district.incident()
    assert (alert["incident"]["silent"], alert["incident"]["without_mains"]) == (0, 30)
    assert "30 heard again, still without mains." in alert["log"][-1]["detail"]["text"]
    await district.later(minutes=1)
    await district.hear(hubs)
    await district.work()
    assert (await district.incident())["incident"]["back"] == 30


async def test_a_claimed_alert_of_a_single_home_hears_of_its_return(district: District) -> None:
    hubs = await district.add_homes(300)
    await district.later(seconds=150)
    await district.hear(hubs[1:])
    await district.work()
    (single,) = await district.open()
    await district.claim(single["id"])
    await district.later(seconds=150)
    await district.hear(hubs[20:])
    await district.work()
    assert (await district.incident())["incident"]["homes_count"] == 20
    await district.later(minutes=5)
    await district.hear(hubs)
    await district.work()
    assert (await district.incident())["incident"]["back"] == 20
    alarms = (await district.alert(single["id"]))["alarms"]
    assert [alarm["kind"] for alarm in alarms] == ["device-silent", "device-restored"]


# ---------------------------------------------------------------- engines


async def test_two_engines_open_one_incident(district: District) -> None:
    hubs = await district.add_homes(400)
    district.settings = district.settings.model_copy(update={"incident_batch": 20})
    engines = [district.another_engine() for _ in range(3)]
    await district.alarms("mains-lost", hubs)

    async def work(engine: Engine) -> None:
        while await engine.take_step():
            pass

    await asyncio.gather(*(work(engine) for engine in engines))
    (alert,) = await district.open()
    assert alert["incident"]["homes_count"] == 400
    assert await places(district) == [400, 400, 0]


async def test_where_incidents_fail_alarms_are_taken_one_by_one(district: District) -> None:
    hubs = await district.add_homes(60)
    # An incident cannot be described without the time of its council; an alert of one home can.
    await district.execute("update councils set timezone = 'Nowhere/At all'")
    await district.alarms("mains-lost", hubs)
    await district.work()
    assert len(await district.open()) == 60
    assert await places(district) == [60, 60, 0]


async def test_an_incident_is_in_no_councils_response_times(district: District) -> None:
    hubs = await district.add_homes(20)
    await district.alarms("mains-lost", hubs)
    await district.work()
    number = (await district.incident())["id"]
    async with district.pool.connection() as conn:
        await incidents_checked(conn, district, number)
        await actions.claim(conn, district.settings, number, "operator", district.now)
        await actions.write_log(conn, number, "operator", "visit", {"text": "x", "arrived_at": "14:00"}, district.now)
        with pytest.raises(Incomplete, match="outcomes"):
            await actions.close(
                conn, district.settings, number, "operator", district.now, cause=Cause.POWER_OR_LINE, outcomes=[],
                confirmed_by=ConfirmedBy.SYSTEM, how="x",
            )  # fmt: skip
        await actions.close(
            conn, district.settings, number, "operator", district.now, cause=Cause.POWER_OR_LINE,
            outcomes=[Outcome.INFORMATION], confirmed_by=ConfirmedBy.SYSTEM, how="x",
        )  # fmt: skip
    assert await one(district.pool, "select count(*) from alerts a join homes h on h.id = a.home_id") == 0
    assert timedelta(0) == (await district.alert(number))["closed_at"] - TWO
