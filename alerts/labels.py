"""Alarms of falls that an operator has coded, as labelled windows from which the detector can learn (docs/falls.md).

A label is as sure as its alert's cause. Causes that leave open whether there was a fall label nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from telecare.trace import BadTrace, decode
from telecare.vocabulary import Cause, Kind
from telecare.wire import BLOW, NAME_LIMIT

UNKNOWN: Final = "unknown"

FALLS: Final = frozenset({Cause.FALL_ON_FLOOR, Cause.FALL_UP})
# Somebody was spoken to who did not fall. A near fall, an illness, "cannot get up" or a test leave it open.
NO_FALLS: Final = frozenset({Cause.ACCIDENTAL, Cause.PERSONAL_HELP, Cause.REASSURANCE, Cause.STAFF_VISIT})


class Source(StrEnum):
    """How the detector had judged what is labelled."""

    CONFIRMED = "confirmed-fall"  # an alarm that was one
    MISSED = "missed-fall"  # the blow before a press, taken for none
    FALSE = "false-alarm"
    DISMISSED = "dismissed"  # the blow before a press, rightly taken for none


@dataclass(frozen=True, slots=True)
class Coded:
    """An alarm of a closed alert."""

    alert_id: int
    person_id: UUID
    born: date | None
    on: date  # when it arrived
    kind: Kind
    cause: Cause
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Label:
    """One window and what it was. `subject` and `trial` tell people and alerts apart, and say no more."""

    subject: str
    trial: str
    age_group: str  # young (below 40), middle (40 to 59), older, or unknown
    position: str
    is_fall: bool
    source: Source
    probability: float | None  # what the model in use then said
    model: str
    trace: str


def labels(alarms: Sequence[Coded], subjects: Mapping[UUID, str]) -> Iterator[Label]:
    """The labelled windows of alarms, which are in the order of their alerts and within them of their arrival."""
    number = 0
    for _, together in groupby(alarms, key=lambda one: one.alert_id):
        found = [(one, *heard) for one in together if (heard := _window(one)) is not None]
        if found and found[0][0].cause in FALLS:
            # One of them was the fall: the first alarm that was raised, or else the blow before the press.
            found = [min(found, key=lambda each: each[0].kind is not Kind.FALL)]
        for coded, evidence, alarmed in found:
            number += 1
            yield _label(coded, evidence, alarmed, subjects[coded.person_id], f"{number:06}")


def _window(coded: Coded) -> tuple[Mapping[str, Any], bool] | None:
    """What was measured of a blow, and whether it was alarmed; None where nothing can be learned from it."""
    alarmed = coded.kind is Kind.FALL
    evidence = coded.evidence if alarmed else coded.evidence.get(BLOW)
    if coded.cause not in FALLS | NO_FALLS or not isinstance(evidence, Mapping):
        return None
    try:
        decode(evidence.get("trace"))
    except BadTrace:
        return None
    return evidence, alarmed


def _label(coded: Coded, evidence: Mapping[str, Any], alarmed: bool, subject: str, trial: str) -> Label:
    is_fall = coded.cause in FALLS
    kinds = {
        (True, True): Source.CONFIRMED,
        (True, False): Source.MISSED,
        (False, True): Source.FALSE,
        (False, False): Source.DISMISSED,
    }
    probability = evidence.get("probability")
    usable = isinstance(probability, int | float) and not isinstance(probability, bool) and 0 <= probability <= 1
    return Label(
        subject=subject,
        trial=trial,
        age_group=age_group(coded.born, coded.on),
        position=_text(evidence.get("worn_at")) or UNKNOWN,
        is_fall=is_fall,
        source=kinds[is_fall, alarmed],
        probability=float(probability) if usable and probability is not None else None,
        model=_text(evidence.get("model")),
        trace=evidence["trace"],
    )


def _text(value: Any) -> str:
    """A short word of a hub's; nothing where it is none: what a hub sends may be anything, also a name."""
    return value if isinstance(value, str) and len(value) <= NAME_LIMIT and value.replace("-", "").isalnum() else ""


def age_group(born: date | None, on: date) -> str:
    """In the words of recordings (docs/recordings.md); a date of birth itself is never given away."""
    if born is None:
        return UNKNOWN
    years = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    return "young" if years < 40 else "middle" if years < 60 else "older"
