"""Policies of priority: what one may say, which level an alarm gets, and when a level rises."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import actions, policy_store
from alerts.policy import DECIDED, FIRST, GRAVE, Edition, Facts, Policy, differences, level, problems, rise, warnings
from telecare.errors import Refused
from telecare.register import councils
from telecare.vocabulary import NEEDS_A_PERSON, TECHNICAL, Kind, Priority
from tests.alerts.test_engine import World, world
from tests.helpers import mary, one, rows

__all__ = ["world"]  # the fixture

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BUILT_IN = FIRST.policy


def having(levels: dict[Kind, Priority] | None = None, **changes: Any) -> Policy:
    return replace(BUILT_IN, levels={**BUILT_IN.levels, **(levels or {})}, **changes)


# ---------------------------------------------------------------- what a policy may say


def test_the_built_in_policy_may_stand_and_warns_of_nothing() -> None:
    assert problems(BUILT_IN) == {}
    assert warnings(BUILT_IN) == []
    assert set(DECIDED) >= NEEDS_A_PERSON
    assert FIRST.name == "Service 1"
    assert Edition(7, "Anytown", 3, BUILT_IN).name == "Anytown 3"


@pytest.mark.parametrize("kind", sorted(NEEDS_A_PERSON))
def test_what_needs_a_person_is_never_technical(kind: Kind) -> None:
    assert "never level 4" in problems(having({kind: Priority.TECHNICAL}))[kind.value]


@pytest.mark.parametrize("kind", sorted(GRAVE))
def test_what_may_be_a_life_is_never_below_level_2(kind: Kind) -> None:
    assert "never below level 2" in problems(having({kind: Priority.ATTENTION}))[kind.value]
    assert problems(having({kind: Priority.URGENT})) == {}


@pytest.mark.parametrize("kind", sorted(TECHNICAL))
def test_equipment_is_level_4_whatever_a_policy_says(kind: Kind) -> None:
    raised = having({kind: Priority.EMERGENCY})
    assert "stays at level 4" in problems(raised)[kind.value]
    assert level(raised, kind) is Priority.TECHNICAL


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rise_from_3_min", 0),
        ("rise_from_2_min", 1441),
        ("repeat_presses", 0),
        ("repeat_presses", 21),
        ("on_floor_min", -1),
    ],
)
def test_numbers_have_limits(field: str, value: int) -> None:
    assert list(problems(having(None, **{field: value}))) == [field]


def test_a_possible_fall_is_never_below_level_2() -> None:
    assert list(problems(having(None, possible_fall=Priority.ATTENTION))) == ["possible-fall"]
    assert level(BUILT_IN, Kind.FALL, possible=True) is Priority.URGENT
    assert level(having(None, possible_fall=Priority.EMERGENCY), Kind.FALL, possible=True) is Priority.EMERGENCY


def test_a_kind_that_a_policy_does_not_know_is_urgent() -> None:
    known = {kind: given for kind, given in BUILT_IN.levels.items() if kind is not Kind.DOOR}
    assert level(replace(BUILT_IN, levels=known), Kind.DOOR) is Priority.URGENT


def test_inflation_and_deaf_policies_are_warned_of() -> None:
    top = having(dict.fromkeys(DECIDED[: len(DECIDED) // 2 + 1], Priority.EMERGENCY))
    assert "level 1 says nothing" in " ".join(warnings(top))
    assert "by age alone" in " ".join(warnings(having(None, rise_from_2_min=5)))
    deaf = having(None, rise_from_3_min=None, repeat_presses=None, on_floor_min=None)
    assert "Nothing would raise" in " ".join(warnings(deaf))


def test_differences_are_said_in_words() -> None:
    new = having({Kind.INACTIVITY: Priority.URGENT}, possible_fall=Priority.EMERGENCY, on_floor_min=None)
    assert [(one.what, one.before, one.after) for one in differences(BUILT_IN, new)] == [
        ("No movement", "3 Attention", "2 Urgent"),
        ("Possible fall", "2 Urgent", "1 Emergency"),
        ("On the floor, becomes level 1 after", "30 min", "never"),
    ]
    assert differences(BUILT_IN, BUILT_IN) == []


# ---------------------------------------------------------------- rising


def waits(given: Priority, **more: Any) -> Facts:
    return Facts(**{"level": given, "level_since": NOON, "waiting_since": NOON} | more)


def test_what_waits_rises_on_the_minute_and_not_before() -> None:
    alert = waits(Priority.ATTENTION)
    early = rise(BUILT_IN, alert, NOON + 10 * MINUTE - timedelta(seconds=1))
    assert (early.level, early.why, early.at) == (Priority.ATTENTION, (), NOON + 10 * MINUTE)
    due = rise(BUILT_IN, alert, NOON + 10 * MINUTE)
    assert (due.level, due.level_since, due.at) == (Priority.URGENT, NOON + 10 * MINUTE, None)
    assert due.why == ("nobody has claimed it for 10 minutes at level 3",)


def test_an_engine_that_was_away_catches_up_by_each_levels_own_time() -> None:
    policy = having(None, rise_from_3_min=10, rise_from_2_min=5)
    assert rise(policy, waits(Priority.ATTENTION), NOON + 14 * MINUTE).level is Priority.URGENT
    late = rise(policy, waits(Priority.ATTENTION), NOON + 60 * MINUTE)
    assert (late.level, late.level_since, late.at) == (Priority.EMERGENCY, NOON + 15 * MINUTE, None)


def test_who_is_with_somebody_does_not_rise_by_age() -> None:
    step = rise(BUILT_IN, waits(Priority.ATTENTION, waiting_since=None), NOON + 600 * MINUTE)
    assert (step.level, step.at) == (Priority.ATTENTION, None)
    # Released, it waits anew.
    again = rise(BUILT_IN, waits(Priority.ATTENTION, waiting_since=NOON + 60 * MINUTE), NOON + 61 * MINUTE)
    assert (again.level, again.at) == (Priority.ATTENTION, NOON + 70 * MINUTE)


def test_pressing_again_raises() -> None:
    assert rise(BUILT_IN, waits(Priority.URGENT, presses=1), NOON).level is Priority.URGENT
    step = rise(BUILT_IN, waits(Priority.URGENT, presses=2, waiting_since=None), NOON)
    assert (step.level, step.why, step.level_since) == (Priority.EMERGENCY, ("pressed 2 times more",), NOON)


def test_lying_on_the_floor_makes_an_emergency() -> None:
    lying = waits(Priority.ATTENTION, waiting_since=None, floor_since=NOON - 10 * MINUTE)
    assert rise(BUILT_IN, lying, NOON).at == NOON + 20 * MINUTE
    step = rise(BUILT_IN, lying, NOON + 20 * MINUTE)
    assert (step.level, step.why) == (Priority.EMERGENCY, ("on the floor for 30 minutes",))


@given(
    st.sampled_from(Priority),
    st.integers(0, 3000),
    st.integers(0, 30),
    st.none() | st.integers(-3000, 3000),
    st.none() | st.integers(-3000, 3000),
    st.tuples(*[st.none() | st.integers(1, 1440)] * 3, st.none() | st.integers(1, 20)),
)
def test_a_level_never_falls_and_equipment_never_moves(
    given_level: Priority, now: int, presses: int, waiting: int | None, floor: int | None, rules: tuple[int | None, ...]
) -> None:
    policy = having(
        None, rise_from_3_min=rules[0], rise_from_2_min=rules[1], on_floor_min=rules[2], repeat_presses=rules[3]
    )
    at = NOON + now * MINUTE
    alert = waits(
        given_level,
        presses=presses,
        waiting_since=None if waiting is None else NOON + waiting * MINUTE,
        floor_since=None if floor is None else NOON + floor * MINUTE,
    )
    step = rise(policy, alert, at)
    assert step.level <= given_level
    assert (step.level < given_level) == bool(step.why)
    assert step.at is None or step.at > at
    assert (step.level is Priority.TECHNICAL) == (given_level is Priority.TECHNICAL)
    # The next step from there finds nothing more to do, but for presses that have been counted.
    after = replace(alert, level=step.level, level_since=step.level_since, presses=0)
    assert rise(policy, after, at).level is step.level


# ---------------------------------------------------------------- in the database


async def put(world: World, policy: Policy, *, council: str | None = "Anytown", seen: str = "Service 1") -> str:
    async with world.pool.connection() as conn:
        whose = None if council is None else (await councils.council_named(conn, council)).id
        return await policy_store.add(conn, whose, seen, policy, "operator", "agreed at the meeting", world.now)


async def rise_all(world: World, seconds: float = 0) -> None:
    world.now += timedelta(seconds=seconds)
    while await world.engine.rise_step():
        pass


async def test_every_alert_names_the_policy_by_which_it_has_its_level(world: World) -> None:
    await world.alarm(kind="inactivity")
    alert = await world.alert()
    assert (alert["policy"], alert["priority"], alert["log"][0]["detail"]["rule"]) == ("Service 1", 3, "Service 1")
    await world.claim(alert["id"])
    await world.close(alert["id"])
    council = await one(world.pool, "select name from councils")
    changed = having({Kind.INACTIVITY: Priority.URGENT})
    assert await put(world, changed, council=council) == f"{council} 1"
    await world.alarm(kind="inactivity")
    (found,) = await world.open()
    assert (found["policy"], found["priority"]) == (f"{council} 1", 2)
    # Another council's is another's.
    await world.live_in(mary(council="Otherham"), "h-2")
    await world.alarm(kind="inactivity")
    other = next(alert for alert in await world.open() if alert["hub"] == "h-2")
    assert (other["policy"], other["priority"]) == ("Service 1", 3)


async def test_the_services_own_policy_is_for_councils_that_have_none(world: World) -> None:
    council = await one(world.pool, "select name from councils")
    assert await put(world, having({Kind.DOOR: Priority.URGENT}), council=None) == "Service 2"
    await world.alarm(kind="door")
    (alert,) = await world.open()
    assert (alert["policy"], alert["priority"]) == ("Service 2", 2)
    assert await put(world, BUILT_IN, council=council, seen="Service 2") == f"{council} 1"
    async with world.pool.connection() as conn:
        mine = await councils.council_named(conn, council)
        assert (await policy_store.edition_of(conn, mine.id)).policy == BUILT_IN
        assert (await policy_store.edition_of(conn, None)).name == "Service 2"


async def test_who_saw_an_older_version_changes_nothing(world: World) -> None:
    assert await put(world, having(None, on_floor_min=20)) == "Anytown 1"
    with pytest.raises(Refused, match="Somebody has changed"):
        await put(world, having(None, on_floor_min=40))
    assert await put(world, having(None, on_floor_min=40), seen="Anytown 1") == "Anytown 2"
    async with world.pool.connection() as conn:
        anytown = await councils.council_named(conn, "Anytown")
        made = await policy_store.history(conn, anytown.id)
    assert [(one.edition.name, one.edition.policy.on_floor_min, one.by, one.why) for one in made] == [
        ("Anytown 2", 40, "Operator", "agreed at the meeting"),
        ("Anytown 1", 20, "Operator", "agreed at the meeting"),
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "update priority_policies set why = 'x'",
        "delete from priority_policies",
        "insert into priority_policies (version, levels, possible_fall, made_by, made_at, why) "
        "values (1, '{\"door\": 3}', 2, 'operator', now(), 'x')",
        *(
            "insert into priority_policies (version, levels, possible_fall, made_by, made_at, why) "  # noqa: S608
            f"values (9, '{levels}', {possible}, 'operator', now(), 'x')"
            for levels, possible in (
                ('{"door": 4}', 2), ('{"fall": 3}', 2), ('{"battery-low": 3}', 2), ('{"door": 0}', 2), ("{}", 2),
                ('{"door": 3}', 3),
            )
        ),
    ],
)  # fmt: skip
async def test_the_database_refuses_a_policy_that_must_not_be(world: World, sql: str) -> None:
    await put(world, BUILT_IN)
    with pytest.raises(psycopg.errors.IntegrityError):
        await rows(world.pool, sql)


async def test_the_databases_rule_is_the_cores(world: World) -> None:
    """`levels_hold` and `problems` agree on every kind and level."""
    for kind in Kind:
        for given_level in Priority:
            holds = await one(
                world.pool, "select levels_hold(jsonb_build_object(%s::text, %s::int))", kind, given_level
            )
            refused = kind in TECHNICAL or kind.value in problems(having({kind: given_level}))
            assert holds is not refused, (kind, given_level)


async def test_an_alert_that_nobody_claims_rises_and_sounds_again(world: World) -> None:
    await world.alarm(kind="inactivity")
    await rise_all(world, 599)
    assert (await world.alert())["priority"] == 3
    await rise_all(world, 1)
    alert = await world.alert()
    assert (alert["priority"], alert["version"]) == (2, 2)
    last = alert["log"][-1]
    assert (last["who"], last["what"]) == ("system", "re-sounded")
    assert last["detail"] == {
        "from": 3, "level": 2, "policy": "Service 1",
        "because": "level 3 to 2: nobody has claimed it for 10 minutes at level 3",
    }  # fmt: skip
    assert await one(world.pool, "select max(n) from alert_events where alert_id = %s", alert["id"]) == 2
    await rise_all(world, 86_400)
    assert (await world.alert())["priority"] == 2  # a press does not rise by age in the built-in policy


async def test_claiming_stops_the_clock_and_releasing_starts_it_anew(world: World) -> None:
    await world.alarm(kind="inactivity")
    (alert,) = await world.open()
    await world.claim(alert["id"])
    assert await one(world.pool, "select rises_at from alerts") is None
    await rise_all(world, 3600)
    await world.act(actions.release, world.settings, alert["id"], "operator", "end of shift", world.now)
    await rise_all(world)
    assert await one(world.pool, "select rises_at from alerts") == world.now + 10 * MINUTE
    assert (await world.alert())["priority"] == 3
    await rise_all(world, 600)
    assert (await world.alert())["priority"] == 2


async def test_a_third_press_raises_a_claimed_alert_too(world: World) -> None:
    await world.alarm()
    (alert,) = await world.open()
    await world.claim(alert["id"])
    await world.alarm()
    await rise_all(world)
    assert (await world.alert())["priority"] == 2
    await world.alarm()
    await rise_all(world)
    alert = await world.alert()
    assert alert["priority"] == 1
    assert "pressed 2 times more" in alert["log"][-1]["detail"]["because"]
    assert await one(world.pool, "select rises_at from alerts") is None


async def test_lying_on_the_floor_raises_whoever_has_the_alert(world: World) -> None:
    await world.alarm()
    (alert,) = await world.open()
    await world.claim(alert["id"])
    since = world.now - 5 * MINUTE
    await one(world.pool, "update alerts set floor_since = %s returning 1", since)
    await rise_all(world)
    assert await one(world.pool, "select rises_at from alerts") == since + 30 * MINUTE
    await rise_all(world, 25 * 60)
    assert (await world.alert())["priority"] == 1


async def test_who_is_up_again_does_not_rise(world: World) -> None:
    await world.alarm()
    await one(world.pool, "update alerts set floor_since = %s returning 1", world.now)
    await one(world.pool, "update alerts set lifted_at = %s returning 1", world.now + MINUTE)
    await rise_all(world, 3600)
    assert (await world.alert())["priority"] == 2


async def test_equipment_never_rises(world: World) -> None:
    await world.alarm(kind="battery-low")
    await world.alarm(kind="battery-failed")
    await rise_all(world, 90_000)
    assert (await world.alert())["priority"] == 4
    assert await one(world.pool, "select rises_at from alerts") is None


async def test_an_alert_keeps_the_policy_that_it_was_raised_by(world: World) -> None:
    council = await one(world.pool, "select name from councils")
    await world.alarm(kind="inactivity")
    await put(world, having(None, rise_from_3_min=1), council=council)
    await rise_all(world, 120)
    assert (await world.alert())["priority"] == 3
    await rise_all(world, 480)
    assert (await world.alert())["priority"] == 2
