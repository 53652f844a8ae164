"""When losses are one incident, what becomes of its homes, and the words: plain values."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from alerts.incidents.domain import (
    HUB_SILENT,
    SHARED,
    Loss,
    Signal,
    Summary,
    Trouble,
    also,
    fold,
    fold_all,
    headline,
    needed,
)
from alerts.policy import FIRST, level
from telecare.db import Pool
from telecare.vocabulary import TECHNICAL, Kind, Priority
from tests.helpers import one

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
COUNCIL = "019386a4-7f2e-7c11-9a55-0c2f5e1d9b10"


def signal(kind: Kind, home: int = 1, rule: str | None = None, since: datetime = NOON) -> Signal:
    return Signal(alarm_id=UUID(int=0), home_id=UUID(int=home), area="a", kind=kind, rule=rule, since=since)


SILENT = signal(Kind.DEVICE_SILENT, rule=HUB_SILENT)


async def test_an_area_is_a_councils_postcode_district_or_the_council(pool: Pool) -> None:
    districts = {
        "EX4 3QT": "EX4", "ex43qt": "EX4", " EX4  3QT ": "EX4", "EX4": "EX4", "EX16 4AA": "EX16",
        "EX1 64AA": "EX16",  # a space in the wrong place
        "W1A 1AA": "W1A", "EC1A 1BB": "EC1A", "M1 1AE": "M1",
        "": "", "not known": "", "12345": "", "EX4 3Q": "", "EX4 3QT, flat 2": "",
    }  # fmt: skip
    for postcode, district in districts.items():
        assert await one(pool, "select area_of(%s, %s)", COUNCIL, postcode) == f"{COUNCIL}:{district}", postcode


@pytest.mark.parametrize(
    ("homes", "enough"), [(1, 3), (12, 3), (60, 3), (61, 4), (100, 5), (181, 10), (200, 10), (2000, 10), (100_000, 10)]
)
def test_ten_homes_or_a_twentieth_of_the_area_but_never_one_or_two(homes: int, enough: int) -> None:
    assert needed(homes, most=10, share=0.05, least=3) == enough


def test_what_is_looked_at_together_is_technical() -> None:
    assert SHARED < TECHNICAL
    assert {level(FIRST.policy, kind) for kind in SHARED} == {Priority.TECHNICAL}


def test_a_silent_device_is_no_silent_hub() -> None:
    assert SILENT.begins is Trouble.SILENT
    assert signal(Kind.DEVICE_SILENT, rule="device-silent").begins is None
    assert signal(Kind.DEVICE_SILENT).begins is None  # a hub's own word about a device of its own


def test_a_home_is_back_when_all_that_it_had_lost_is_back() -> None:
    later, latest = NOON + timedelta(minutes=3), NOON + timedelta(minutes=9)
    lost = fold(None, signal(Kind.MAINS_LOST), NOON)
    assert lost == Loss(frozenset({Trouble.MAINS}), frozenset({Trouble.MAINS}), NOON, NOON)
    silent = fold(lost, SILENT, later)
    assert silent is not None
    assert (silent.since, silent.changed_at, silent.back_at) == (NOON, later, None)
    assert fold(silent, SILENT, latest) == silent  # said twice
    back = fold(silent, signal(Kind.MAINS_RESTORED), latest)
    assert back is not None
    assert (back.troubles, back.back_at) == ({Trouble.SILENT}, None)
    assert fold(back, signal(Kind.NETWORK_RESTORED), latest) == back  # was never lost
    assert fold(None, signal(Kind.MAINS_RESTORED), NOON) is None


def test_a_home_that_is_lost_anew_is_lost_since_then() -> None:
    back = Loss(frozenset(), frozenset({Trouble.MAINS}), NOON, NOON, NOON)
    later = NOON + timedelta(hours=1)
    lost = fold(back, signal(Kind.NETWORK_LOST, since=later), later)
    assert lost == Loss(frozenset({Trouble.NETWORK}), frozenset({Trouble.MAINS, Trouble.NETWORK}), later, later)
    assert also(lost, Trouble.SILENT).troubles == {Trouble.NETWORK, Trouble.SILENT}


@given(some.lists(some.tuples(some.integers(1, 3), some.sampled_from(sorted(SHARED)))))
def test_whatever_comes_in_whatever_order_back_means_nothing_is_lost(given: list[tuple[int, Kind]]) -> None:
    signals = [signal(kind, home, HUB_SILENT) for home, kind in given]
    losses = fold_all({}, signals, NOON)
    assert set(losses) == {s.home_id for s in signals if s.begins is not None}
    for loss in losses.values():
        assert (loss.back_at is not None) == (not loss.troubles)
        assert loss.troubles <= loss.had
        assert loss.had


def summary(**changes: int | datetime | str) -> Summary:
    values = {"alert_id": 1, "label": "EX4", "timezone": "Europe/London", "began_at": NOON, "homes": 34, "silent": 0,
              "mains": 0, "network": 0, "back": 0, "unchecked": 0, "had_mains": 0, "had_network": 0,
              "last_back_at": None}  # fmt: skip
    return Summary(**(values | changes))  # type: ignore[arg-type]


def test_the_headline_says_how_many_where_and_since_when() -> None:
    assert headline(summary(silent=34), NOON) == "Incident: 34 homes in EX4 silent since 12:00"
    assert headline(summary(silent=1, homes=1), NOON) == "Incident: 1 home in EX4 silent since 12:00"
    assert headline(summary(mains=34), NOON) == "Incident: 34 homes in EX4 without mains power since 12:00"
    assert headline(summary(silent=4, mains=29, back=1), NOON) == (
        "Incident: 33 homes in EX4 since 12:00: 4 silent, 29 without mains power; 1 is back"
    )
    tomorrow = NOON + timedelta(days=1)
    assert headline(summary(silent=30, back=4), tomorrow) == (
        "Incident: 30 homes in EX4 silent since 12:00 on 24 November; 4 are back"
    )
    assert headline(summary(back=34, last_back_at=NOON + timedelta(minutes=11)), NOON) == (
        "Incident: all 34 homes in EX4 are back since 12:11; it began at 12:00"
    )
    summer = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    assert "since 13:00" in headline(summary(silent=34, began_at=summer), summer)  # the council's clock


def test_a_cause_is_what_half_of_the_homes_have_in_common() -> None:
    assert summary(had_mains=17).cause == "power cut"
    assert summary(had_mains=16).cause is None
    assert summary(had_network=20).cause == "network"
