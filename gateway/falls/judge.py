"""What a window is: a fall, a possible fall, or none; how sure, and why in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.falls.model import Limits, Model, WornAt, rows
from gateway.falls.window import Floats


class Verdict(StrEnum):
    """What the hub does about it: an alarm, an alarm that is worded and queued as possible, or a count."""

    FALL = "fall"
    POSSIBLE = "possible-fall"
    NONE = "no-fall"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the calibrated probability of a fall, and the three things that spoke most for or against it."""

    verdict: Verdict
    probability: float | None  # None: nothing could be judged
    reasons: tuple[str, ...]


REASONS: Final = 3

# Features that say the same in other words are one reason: what they say for a fall, and against one.
_SAY: Final[tuple[tuple[tuple[str, ...], str, str], ...]] = (
    (("blow_other",), "one blow, not several", "several blows alike"),
    (("blow_", "most_near", "swings_near", "shakes_near", "moves_near"), "a hard blow", "no hard blow"),
    (("drop_",), "a drop before the blow", "no drop before the blow"),
    (("turn_",), "another posture than before", "no change of posture as in a fall"),
    (("rhythm", "steps_"), "no rhythm of steps", "a rhythm as of steps"),
    (
        tuple(f"{kind}_{part}" for kind in ("moves", "shakes", "swings", "most") for part in ("after", "rest")),
        "little movement afterwards",
        "movement afterwards as of somebody up",
    ),
    (
        tuple(f"{kind}_before" for kind in ("moves", "shakes", "swings", "most")),
        "movement before as of somebody up",
        "movement before unlike that before a fall",
    ),
)
_PLACES: Final[tuple[tuple[WornAt, tuple[str, ...]], ...]] = (
    ("wrist", ("wrist", "watch", "hand")),
    ("leg", ("thigh", "hip", "pocket", "ankle", "leg", "knee", "shin", "calf", "foot", "shoe")),
)
_OTHERWISE: Final = ("the shape of the movement", "the shape of the movement")


def worn_at(position: str | None) -> WornAt:
    """Which of the model's places a position is, by the words in its name.

    Where it is not known, it is taken for the trunk: that is where a pendant hangs.
    """
    name = (position or "").lower()
    return next((place for place, words in _PLACES for word in words if word in name), "trunk")


def judge(model: Model, window: Floats | None, at: WornAt) -> Judgement:
    """Judge one window, (`MOMENTS`, `FIELDS`) in g.

    A window that could not be read (None) is a possible fall: the trigger has spoken, and nothing speaks against it.
    """
    if window is None:
        return Judgement(Verdict.POSSIBLE, None, ("its recording cannot be read",))
    (row,) = rows(window[None], at)
    probability = model.probability(row)
    verdict = decide(model.limits, probability, at)
    return Judgement(verdict, probability, _reasons(model.said(row), verdict is not Verdict.NONE))


def decide(by: Mapping[WornAt, Limits], probability: float, at: WornAt) -> Verdict:
    """The verdict at a probability."""
    limits = by[at]
    if probability >= limits.fall:
        return Verdict.FALL
    return Verdict.POSSIBLE if probability >= limits.possible else Verdict.NONE


def _reasons(said: Mapping[str, float], alarm: bool) -> tuple[str, ...]:
    together: dict[tuple[str, str], float] = {}
    for name, moved in said.items():
        words = next((words for heads, *words in _SAY if name.startswith(heads)), _OTHERWISE)
        key = (words[0], words[1])
        together[key] = together.get(key, 0.0) + moved
    ordered = sorted(together.items(), key=lambda item: -item[1] if alarm else item[1])
    return tuple(dict.fromkeys(words[0 if moved > 0 else 1] for words, moved in ordered[:REASONS]))
