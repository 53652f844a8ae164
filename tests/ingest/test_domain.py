"""An alarm's identity and its time."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from ingest.domain import content_hash, other_hubs_id, take_in

NOW = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
AHEAD = timedelta(minutes=5)
ID = "019386a4-7f2e-7c11-9a55-0c2f5e1d9b10"


def alarm(**changes: object) -> bytes:
    good = {"id": ID, "seq": 1, "device": "p", "kind": "button", "at": "2026-11-24T12:00:00Z", "clock": "synced"}
    return json.dumps(good | changes).encode()


def test_a_good_alarm_keeps_its_id_and_no_raw_bytes() -> None:
    intake = take_in("h", alarm(), NOW, AHEAD)
    assert str(intake.id) == ID
    assert intake.raw is None


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "2019-12-31T23:59:59Z"])
def test_a_time_before_any_hub_is_no_time(at: str) -> None:
    read = take_in("h", alarm(at=at), NOW, AHEAD).read
    assert read.at is None
    assert read.doubts


@pytest.mark.parametrize("at", ["2026-11-24T12:06:00Z", "2038-01-19T03:14:08Z", "9999-12-31T23:59:59Z"])
def test_a_time_in_the_future_is_kept_and_doubted(at: str) -> None:
    read = take_in("h", alarm(at=at), NOW, AHEAD).read
    assert read.at is not None
    assert not read.clock_synced
    assert read.doubts == ("at: in the future",)


def test_a_small_lead_of_the_clock_is_no_matter() -> None:
    assert take_in("h", alarm(at="2026-11-24T12:04:00Z"), NOW, AHEAD).read.doubts == ()


def test_an_id_that_is_no_uuid_names_the_same_alarm_each_time_and_only_on_its_hub() -> None:
    first, again, other = (take_in(hub, alarm(id="seven"), NOW, AHEAD) for hub in ("a", "a", "b"))
    assert first.id == again.id != other.id


def test_bytes_without_an_id_are_one_alarm_within_a_minute_and_another_later() -> None:
    first = take_in("h", b"garbage", NOW, AHEAD)
    assert take_in("h", b"garbage", NOW + timedelta(seconds=10), AHEAD).id == first.id
    assert take_in("h", b"garbage", NOW + timedelta(minutes=2), AHEAD).id != first.id
    assert take_in("g", b"garbage", NOW, AHEAD).id != first.id
    assert first.raw == b"garbage"


def test_an_id_that_another_hub_has_used_gets_a_new_one() -> None:
    mine = take_in("b", alarm(), NOW, AHEAD)
    assert other_hubs_id(mine).id != mine.id
    assert other_hubs_id(mine).id == other_hubs_id(mine).id


def test_the_same_json_otherwise_written_is_a_repeat() -> None:
    assert content_hash(b'{"a":1,"b":2}') == content_hash(b'{ "b": 2, "a": 1 }')
    assert content_hash(b'{"a":1}') != content_hash(b'{"a":2}')
    assert content_hash(b"\xff") != content_hash(b"\xfe")
