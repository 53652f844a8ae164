"""How well the detector does on recorded trials, group by group (docs/falls.md says what each figure means).

Trials are replayed at their own rate and range. A trial is alarmed when an alarm is raised in it. The 20 s in which the
wearer can take it back are not waited for.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from statistics import median
from typing import Any, Final

from firmware_sim.falls.listen import impact_s, listen
from firmware_sim.falls.stats import garwood, share, wilson
from firmware_sim.recordings import Trial
from gateway.falls.judge import Verdict, judge, worn_at
from gateway.falls.model import Model

ALL: Final = "all"
STAGES: Final[dict[str, Callable[[Verdict], bool]]] = {
    "trigger": lambda _: True,
    "both": lambda verdict: verdict is not Verdict.NONE,
    "both-fall-only": lambda verdict: verdict is Verdict.FALL,
}
BINS: Final = 5  # of the calibration table
_TOGETHER: Final = 8  # trials handed to a process at a time


@dataclass(frozen=True, slots=True)
class Raised:
    """One window of a trial, judged."""

    sent_s: float
    probability: float | None  # None: its window could not be read
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trial, and what came of it."""

    dataset: str
    position: str
    age_group: str
    is_fall: bool
    hours: float
    impact_s: float
    raised: tuple[Raised, ...] = field(default=())


def outcome(trial: Trial, model: Model) -> Outcome:
    """Play one trial."""
    at = worn_at(trial.position)
    judged = [(heard.sent_s, judge(model, heard.window, at)) for heard in listen(trial)]
    return Outcome(
        trial.dataset,
        trial.position,
        trial.age_group,
        trial.is_fall,
        trial.length_s / 3600,
        impact_s(trial),
        tuple(Raised(sent_s, found.probability, found.verdict) for sent_s, found in judged),
    )


def outcomes(trials: Iterable[Trial], model: Model, processes: int | None = None) -> Iterator[Outcome]:
    """Play trials, on every core, in their order."""
    count = processes or os.cpu_count() or 1
    with multiprocessing.get_context("forkserver").Pool(count, _begin, (model,)) as pool:
        yield from pool.imap(_play, trials, _TOGETHER)


def _begin(model: Model) -> None:
    global _model
    _model = model


def _play(trial: Trial) -> Outcome:
    return outcome(trial, _model)


_model: Model


def report(found: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Every data set and position, as a whole and by age group, for each stage."""
    rows: list[dict[str, Any]] = []
    place = lambda one: (one.dataset, one.position)  # noqa: E731
    for (dataset, position), group in groupby(sorted(found, key=place), key=place):
        together = list(group)
        ages = {ALL: together}
        for one in together:
            ages.setdefault(one.age_group, []).append(one)
        for age_group, those in ages.items():
            about = {"dataset": dataset, "position": position, "age_group": age_group}
            rows += [{**about, "stage": stage, **measures(those, alarm)} for stage, alarm in STAGES.items()]
    return rows


def measures(those: list[Outcome], alarm: Callable[[Verdict], bool]) -> dict[str, Any]:
    """The figures of one group, where `alarm` says which verdicts raise one."""
    falls = [one for one in those if one.is_fall]
    living = [one for one in those if not one.is_fall]
    delays = [delay for one in falls if (delay := _delay_s(one, alarm)) is not None]
    quiet = sum(not _alarms(one, alarm) for one in living)
    hours, false = sum(one.hours for one in living), sum(len(_alarms(one, alarm)) for one in living)
    return {
        "falls": len(falls),
        "adl_trials": len(living),
        "sensitivity": share(len(delays), len(falls)),
        "sensitivity_ci": wilson(len(delays), len(falls)),
        "specificity": share(quiet, len(living)),
        "specificity_ci": wilson(quiet, len(living)),
        "adl_hours": hours,
        "false_per_hour": false / hours if hours else None,
        "false_per_hour_ci": garwood(false, hours),
        "delay_s_median": median(delays) if delays else None,
        "calibration": _calibration(those),
    }


def _alarms(one: Outcome, alarm: Callable[[Verdict], bool]) -> list[Raised]:
    return [raised for raised in one.raised if alarm(raised.verdict)]


def _delay_s(one: Outcome, alarm: Callable[[Verdict], bool]) -> float | None:
    """From the impact to the first alarm after it; to the first of all, where there is none after."""
    sent = [raised.sent_s - one.impact_s for raised in _alarms(one, alarm)]
    return min((delay for delay in sent if delay >= 0), default=sent[0] if sent else None)


def _calibration(those: list[Outcome]) -> list[dict[str, float]]:
    """Trials with a window, by the largest probability in them: what was said, and how many of them were falls.

    The share of falls is that of the recordings, thousands of times what a day at home has.
    """
    said = [([r.probability for r in one.raised if r.probability is not None], one.is_fall) for one in those]
    surest = [(max(each), fell) for each, fell in said if each]
    table = []
    for place in range(BINS):
        inside = [each for each in surest if min(int(each[0] * BINS), BINS - 1) == place]
        if inside:
            mean = sum(probability for probability, _ in inside) / len(inside)
            were = sum(fell for _, fell in inside) / len(inside)
            table.append({"trials": len(inside), "said": round(mean, 3), "were_falls": round(were, 3)})
    return table
