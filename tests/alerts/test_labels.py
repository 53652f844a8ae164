"""What an operator's code makes of a window: a fall, none, or nothing that can be learned from."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from alerts.labels import FALLS, NO_FALLS, Coded, Label, Source, age_group, labels
from telecare.trace import MOMENTS, encode
from telecare.vocabulary import Cause, Kind

MARY, RAVI = UUID(int=1), UUID(int=2)
SUBJECTS = {MARY: "a1", RAVI: "b2"}
TODAY = date(2026, 11, 27)


def trace(mg: int = 1000) -> str:
    return encode([(0, 0, mg, mg)] * MOMENTS)


def measured(mg: int = 1000, **more: Any) -> dict[str, Any]:
    return {"trace": trace(mg), "probability": 0.42, "model": "falls-1", "worn_at": "neck"} | more


def coded(cause: Cause, kind: Kind = Kind.FALL, alert: int = 1, person: UUID = MARY, **evidence: Any) -> Coded:
    return Coded(alert, person, date(1941, 3, 9), TODAY, kind, cause, evidence or measured())


def of(*alarms: Coded) -> list[Label]:
    return list(labels(alarms, SUBJECTS))


def test_a_false_alarm_is_no_fall() -> None:
    (found,) = of(coded(Cause.ACCIDENTAL))
    assert found == Label(
        subject="a1", trial="000001", age_group="older", position="neck", is_fall=False, source=Source.FALSE,
        probability=0.42, model="falls-1", trace=trace(),
    )  # fmt: skip


def test_a_fall_is_a_fall() -> None:
    (found,) = of(coded(Cause.FALL_ON_FLOOR))
    assert (found.is_fall, found.source) == (True, Source.CONFIRMED)


def test_the_blow_before_a_press_is_the_fall_that_no_detector_saw() -> None:
    (found,) = of(coded(Cause.FALL_UP, Kind.BUTTON, blow=measured(2000, worn_at="left-wrist")))
    assert (found.is_fall, found.source, found.position) == (True, Source.MISSED, "left-wrist")
    assert found.trace == trace(2000)
    (found,) = of(coded(Cause.REASSURANCE, Kind.BUTTON, blow=measured()))
    assert (found.is_fall, found.source) == (False, Source.DISMISSED)


@pytest.mark.parametrize("cause", sorted(set(Cause) - FALLS - NO_FALLS))
def test_a_cause_that_leaves_it_open_teaches_nothing(cause: Cause) -> None:
    assert of(coded(cause), coded(cause, Kind.BUTTON, blow=measured())) == []


def test_of_several_blows_of_one_alert_the_first_alarm_was_the_fall() -> None:
    before = coded(Cause.FALL_UP, Kind.BUTTON, blow=measured(1500))
    (found,) = of(before, coded(Cause.FALL_UP, **measured(2000)), coded(Cause.FALL_UP, **measured(3000)))
    assert (found.source, found.trace) == (Source.CONFIRMED, trace(2000))


def test_of_a_false_alarm_every_blow_was_none() -> None:
    found = of(coded(Cause.ACCIDENTAL, **measured(2000)), coded(Cause.ACCIDENTAL, Kind.BUTTON, blow=measured(1500)))
    assert [(one.source, one.is_fall) for one in found] == [(Source.FALSE, False), (Source.DISMISSED, False)]


def test_alerts_and_people_are_told_apart() -> None:
    found = of(coded(Cause.FALL_UP), coded(Cause.FALL_UP, alert=2), coded(Cause.FALL_UP, alert=3, person=RAVI))
    assert [(one.subject, one.trial) for one in found] == [("a1", "000001"), ("a1", "000002"), ("b2", "000003")]


@pytest.mark.parametrize("odd", [None, 7, "", "no trace", trace()[:-4], trace() + "AAAA", ["x"]])
def test_what_is_no_trace_is_passed_over(odd: Any) -> None:
    assert of(coded(Cause.ACCIDENTAL, **measured(), **{"x": 1}), coded(Cause.ACCIDENTAL, trace=odd, y=1)) != []
    assert of(coded(Cause.ACCIDENTAL, trace=odd, y=1)) == []
    assert of(coded(Cause.ACCIDENTAL, Kind.BUTTON, blow=odd, y=1)) == []


def test_words_of_a_hub_that_could_be_anything_are_left_out() -> None:
    (found,) = of(
        coded(Cause.ACCIDENTAL, **measured(probability="high", model="Mary Ashworth, 1 Mill Lane", worn_at={"at": 1}))
    )
    assert (found.probability, found.model, found.position) == (None, "", "unknown")
    for probability in (True, -1, 2, float("nan"), None):
        (found,) = of(coded(Cause.ACCIDENTAL, **measured(probability=probability)))
        assert found.probability is None


@pytest.mark.parametrize(
    ("born", "group"),
    [
        (None, "unknown"), (date(1986, 11, 28), "young"), (date(1986, 11, 27), "middle"),
        (date(1966, 11, 28), "middle"), (date(1966, 11, 27), "older"),
    ],
)  # fmt: skip
def test_age_groups_are_those_of_recordings(born: date | None, group: str) -> None:
    assert age_group(born, TODAY) == group
