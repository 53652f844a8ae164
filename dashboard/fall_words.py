"""What a fall alarm says of itself, in the words of the alert's page. A hub may send anything: nothing here raises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dashboard.fall_trace import Trace, read_trace
from telecare.clock import parse_instant
from telecare.vocabulary import NO_FALL, POSSIBLE_FALL, Kind
from telecare.wire import BLOW

REASONS_LIMIT: Final = 6  # more would not be read in time
TEXT_LIMIT: Final = 120  # characters of a reason, or of any value that is shown as it was sent
NAME_LIMIT: Final = 64  # characters of a detector's or a model's name
SHOWN_LIMIT: Final = 5  # fall alarms of one alert: somebody who cannot get up may try more often
_MOST_G: Final = 100.0  # no pendant measures more

# The page's own words for a probability, highest first: (from here on, words). Those of verbal scales differ between
# readers, so the figure always stands beside them.
_LIKELIHOOD: Final = (
    (0.9, "Almost certainly a fall"),
    (0.7, "Very likely a fall"),
    (0.5, "Likely a fall"),
    (0.0, "Possibly a fall"),
)
BLOW_TITLE: Final = "Blow before the press, taken for no fall"
_TRACE_FIELDS: Final = ("trace", "trace_hz", "trace_impact")


@dataclass(frozen=True, slots=True)
class Fall:
    """A fall alarm, or the blow before a press, as the page shows it. None: not said, or not so that it can be read."""

    title: str
    device: str
    at: datetime  # when it happened; when it arrived, where the device's clock cannot be believed
    likelihood: str | None
    reasons: tuple[str, ...]
    more_reasons: int  # that are not shown
    worn: bool | None
    peak_g: float | None
    detector: str | None
    model: str | None
    trace: Trace | None
    trace_sent: bool  # something was sent as a trace, whether or not it can be drawn


@dataclass(frozen=True, slots=True)
class Falls:
    """The fall alarms of an alert: the one to read, those beside it, and how many more there are."""

    first: Fall
    others: tuple[Fall, ...]
    more: int


def falls_of(alarms: Sequence[Mapping[str, Any]]) -> Falls | None:
    """The fall alarms among an alert's alarms; None where there are none.

    First the gravest, which gave the alert its level; among those equally grave the newest, which says how the person
    is now. The others follow, the newest first.
    """
    found = [alarm for alarm in alarms if alarm["kind"] == Kind.FALL]
    if not found:
        return None
    found.sort(key=_happened, reverse=True)
    first = next((alarm for alarm in found if not _is_possible(alarm)), found[0])
    others = [alarm for alarm in found if alarm is not first]
    shown = others[: SHOWN_LIMIT - 1]
    return Falls(_fall(first), tuple(_fall(alarm) for alarm in shown), len(others) - len(shown))


def blows_of(alarms: Sequence[Mapping[str, Any]]) -> tuple[Fall, ...]:
    """The blows before presses that their hub took for no fall, the newest first; one may have been a fall."""
    presses = [one for one in alarms if one["kind"] == Kind.BUTTON and isinstance(_evidence(one).get(BLOW), dict)]
    return tuple(_fall(_blow(press)) for press in sorted(presses, key=_happened, reverse=True)[:SHOWN_LIMIT])


def _blow(press: Mapping[str, Any]) -> dict[str, Any]:
    """The blow before a press, as if it had been an alarm of its own that came with the press."""
    blow = _evidence(press)[BLOW]
    try:
        at = parse_instant(blow.get("at", ""))
    except (ValueError, TypeError):
        at = None
    return {**press, "kind": Kind.FALL, "title": BLOW_TITLE, "at": at, "evidence": blow}


def _happened(alarm: Mapping[str, Any]) -> datetime:
    at: datetime | None = alarm["at"]
    received_at: datetime = alarm["received_at"]
    return received_at if at is None or not alarm["clock_synced"] or at > received_at else at


def _evidence(alarm: Mapping[str, Any]) -> Mapping[str, Any]:
    return alarm["evidence"] if isinstance(alarm["evidence"], dict) else {}


def _outcome(alarm: Mapping[str, Any]) -> Any:
    return _evidence(alarm).get("outcome")


def _is_possible(alarm: Mapping[str, Any]) -> bool:
    return bool(_outcome(alarm) == POSSIBLE_FALL)


def _fall(alarm: Mapping[str, Any]) -> Fall:
    evidence = _evidence(alarm)
    sent = evidence.get("reasons")
    reasons = [printable(one, TEXT_LIMIT) for one in sent if isinstance(one, str)] if isinstance(sent, list) else []
    reasons = [one for one in reasons if one]
    worn, probability = evidence.get("worn"), _number(evidence.get("probability"), 1)
    return Fall(
        title=alarm["title"],
        device=alarm["device"],
        at=_happened(alarm),
        likelihood=None if probability is None else likelihood(probability, _outcome(alarm)),
        reasons=tuple(reasons[:REASONS_LIMIT]),
        more_reasons=max(0, len(reasons) - REASONS_LIMIT),
        worn=worn if isinstance(worn, bool) else None,
        peak_g=_number(evidence.get("peak_g"), _MOST_G),
        detector=_name(evidence.get("detector")),
        model=_name(evidence.get("model")),
        trace=read_trace(evidence),
        trace_sent=evidence.get("trace") is not None,
    )


def _number(value: Any, most: float) -> float | None:
    """A number from 0 to `most`, or None: texts, truths and what is not finite are none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= most else None


def _name(value: Any) -> str | None:
    return printable(value, NAME_LIMIT) or None if isinstance(value, str) else None


def likelihood(probability: float, outcome: Any = None) -> str:
    """A probability from 0 to 1 in words and as tenths; `outcome` is what its detector made of it.

    The figure is that of recorded trials, where falls are as frequent as all else; at home they are far rarer. So what
    the detector itself calls a possible fall is not called likely, whatever the figure.
    """
    least_said = 0.0 if outcome == POSSIBLE_FALL else probability
    words = next(words for least, words in _LIKELIHOOD if least_said >= least)
    words = "Taken for no fall" if outcome == NO_FALL else words
    tenths = int(probability * 10 + 0.5)
    # No detector is sure.
    share = "more than 9" if tenths == 10 else f"about {tenths}" if tenths else "less than 1"
    return f"{words} (in trials {share} in 10)"


def printable(text: str, limit: int) -> str:
    """A text on one line, without characters that do something instead of being seen, cut at `limit` characters."""
    shown = " ".join("".join(one if one.isprintable() else " " for one in text[: 4 * limit]).split())
    return shown if len(shown) <= limit and len(text) <= 4 * limit else f"{shown[: limit - 1]}…"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "; ".join(value)
    return str(value)


def rest_of(alarm: Mapping[str, Any]) -> list[tuple[str, str]]:
    """An alarm's evidence as it was sent, each name with its value; without traces, which are no text."""
    left_out = _TRACE_FIELDS if alarm["kind"] == Kind.FALL else (BLOW,) if alarm["kind"] == Kind.BUTTON else ()
    return [
        (printable(name, NAME_LIMIT), printable(_plain(value), TEXT_LIMIT))
        for name, value in _evidence(alarm).items()
        if name not in left_out
    ]
