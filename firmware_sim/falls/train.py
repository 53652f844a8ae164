"""`telecare falls train`: from recorded trials to a model and its card, the same from the same seed."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, islice
from typing import Any, Final, get_args

import numpy as np

from firmware_sim.falls import fit
from firmware_sim.falls.augment import augmented, seeded
from firmware_sim.falls.evaluate import Outcome, Raised, report
from firmware_sim.falls.fit import Mask, Windows
from firmware_sim.falls.labelled import Labelled
from firmware_sim.falls.listen import impact_s, listen
from firmware_sim.recordings import Trial
from gateway.falls.judge import decide, worn_at
from gateway.falls.model import NAMES, Limits, Model, WornAt, rows
from gateway.falls.window import FIELDS, MOMENTS, Floats
from telecare.errors import Refused

VARIANTS: Final = 4  # how many other devices each trial is also felt by
AT_IMPACT_S: Final = 1.2  # a window so near to its trial's impact is the fall's
FOLDS: Final = 10  # groups of people that are left out in turn
FOLDS_WITHOUT_A_SET: Final = 4  # ... where a whole data set is left out besides
LEAST_PEOPLE: Final = 2 * FOLDS_WITHOUT_A_SET
_TOGETHER: Final = 8
_AT_A_TIME: Final = 1000

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Felt:
    """A trial as one device felt it: what is known of it, and its windows."""

    trial: Outcome  # without what was raised
    subject: str
    recorded: bool
    windows: Floats  # (n, MOMENTS, FIELDS)
    sent_s: list[float]
    off_s: list[float]  # how far each window's impact is from the trial's


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, and the figures of the people, and of the data sets, that it was not fitted on."""

    model: Model
    felt: list[Felt]
    labelled: list[Labelled]
    unseen_people: list[dict[str, Any]]
    unseen_sets: list[dict[str, Any]]
    seed: int


def train(
    trials: Iterable[Trial], seed: int, say: Say, processes: int | None = None, labelled: Iterable[Labelled] = ()
) -> Trained:
    """Fit a model, and measure it on whom and what it did not see.

    `labelled` windows from homes teach the trees. They neither measure nor calibrate: nearly all of them are there
    because the model in use then raised an alarm, so their shares say nothing about the shares at home.

    Raises:
        Refused: there are no falls, no daily living, or too few people to leave some out.
    """
    labels = list(labelled)
    felt = _feel_all(trials, seed, processes)
    windows = _windows([*felt, *(_from_home(one) for one in labels)])
    _check(windows)
    trials_count = sum(each.recorded for each in felt)
    say(f"{trials_count} trials, {len(windows.rows)} windows, {len(labels)} of them labelled at homes")
    say("people left out in turn ...")
    people = fit.folds(windows, min(FOLDS, len(set(windows.subject)) // 2), seed)
    log_odds = fit.unseen(windows, people, seed, processes)
    slope, offset, limits = _judged(windows, log_odds)
    found = fit.probability(log_odds, slope, offset)
    sets = _without_each_set(windows, felt, seed, say, processes)
    say("all together ...")
    model = fit.as_model(fit.fit(windows, seed), slope, offset, limits)
    return Trained(model, felt, labels, report(_outcomes(felt, windows, found, limits)), sets, seed)


def _check(windows: Windows) -> None:
    people = len(set(windows.subject))
    if people < LEAST_PEOPLE or windows.is_fall.all() or not windows.at_impact.any():
        raise Refused(f"{people} people: training needs {LEAST_PEOPLE} at least, with falls and daily living")


# ---------------------------------------------------------------- windows


def _feel_all(trials: Iterable[Trial], seed: int, processes: int | None) -> list[Felt]:
    with multiprocessing.get_context("forkserver").Pool(processes or os.cpu_count() or 1) as pool:
        return [felt for each in pool.imap(partial(_feel, seed=seed), trials, _TOGETHER) for felt in each]


def _feel(trial: Trial, seed: int) -> list[Felt]:
    """A trial as it was recorded, and as other devices would have felt it."""
    rng = seeded(seed, [trial.dataset, trial.subject, trial.trial, trial.position])
    return [_felt(trial, True), *(_felt(augmented(trial, rng), False) for _ in range(VARIANTS))]


def _felt(trial: Trial, recorded: bool) -> Felt:
    heard = [each for each in listen(trial) if each.window is not None]
    windows = np.array([each.window for each in heard]).reshape(-1, MOMENTS, FIELDS)
    impact = impact_s(trial)
    about = Outcome(
        trial.dataset, trial.position, trial.age_group, trial.is_fall, trial.length_s / 3600, round(impact, 4)
    )
    return Felt(
        about,
        trial.subject,
        recorded,
        windows,
        [each.sent_s for each in heard],
        [each.impact_s - impact for each in heard],
    )


def _from_home(label: Labelled) -> Felt:
    """A labelled window as a trial that was not recorded as a whole."""
    about = Outcome(label.dataset, label.position, label.age_group, label.is_fall, 0.0, 0.0)
    return Felt(about, label.subject, False, label.window[None], [0.0], [0.0])


def _windows(felt: Sequence[Felt]) -> Windows:
    sizes = [len(each.windows) for each in felt]
    spread = partial(np.repeat, repeats=sizes)
    fell = spread([each.trial.is_fall for each in felt])
    near = np.abs(np.concatenate([each.off_s for each in felt])) <= AT_IMPACT_S
    return Windows(
        rows=np.concatenate(list(_rows(felt))),
        is_fall=fell,
        at_impact=fell & near,
        trial=spread(np.arange(len(felt))),
        subject=spread([f"{each.trial.dataset}/{each.subject}" for each in felt]),
        dataset=spread([each.trial.dataset for each in felt]),
        position=spread([each.trial.position for each in felt]),
        recorded=spread([each.recorded for each in felt]),
    )


def _rows(felt: Sequence[Felt]) -> Iterator[Floats]:
    """The features of every window, many trials at a time."""
    for at, those in groupby(felt, key=lambda each: worn_at(each.trial.position)):
        while some := [each for each in islice(those, _AT_A_TIME)]:
            yield np.array(rows(np.concatenate([each.windows for each in some]), at)).reshape(-1, len(NAMES))


# ---------------------------------------------------------------- whom it did not see


def _judged(windows: Windows, log_odds: Floats) -> tuple[float, float, dict[WornAt, Limits]]:
    """Calibration and limits from people that the trees had not seen."""
    slope, offset = fit.calibrate(log_odds, windows)
    found = fit.probability(log_odds, slope, offset)
    places: dict[WornAt, Limits] = {
        at: limits for at in get_args(WornAt) if (limits := fit.limits(found, windows, at)) is not None
    }
    if not places:
        raise Refused("no position has both falls and daily living in which the trigger spoke")
    # Where a place was not recorded, those of another are the best guess.
    return slope, offset, {at: places.get(at) or next(iter(places.values())) for at in get_args(WornAt)}


def _without_each_set(
    windows: Windows, felt: Sequence[Felt], seed: int, say: Say, processes: int | None
) -> list[dict[str, Any]]:
    """Each data set measured by trees, calibration and limits that come from the others alone."""
    names = sorted(set(windows.dataset[windows.recorded]))
    found: list[dict[str, Any]] = []
    for name in names if len(names) > 1 else []:
        say(f"without {name} ...")
        left_out: Mask = windows.dataset == name
        others = windows[~left_out]
        inside = fit.unseen(others, fit.folds(others, FOLDS_WITHOUT_A_SET, seed), seed, processes)
        slope, offset, limits = _judged(others, inside)
        likely = fit.probability(fit.unseen(windows, [left_out], seed), slope, offset)
        found += report(_outcomes(felt, windows, likely, limits, only=name))
    return found


def _outcomes(
    felt: Sequence[Felt], windows: Windows, likely: Floats, limits: dict[WornAt, Limits], only: str | None = None
) -> list[Outcome]:
    """The recorded trials, with what would have been raised in them."""
    ends = np.cumsum([len(each.windows) for each in felt])
    found = []
    for each, end in zip(felt, ends, strict=True):
        if not each.recorded or only not in (None, each.trial.dataset):
            continue
        at = worn_at(each.trial.position)
        own = likely[end - len(each.windows) : end]
        raised = tuple(
            Raised(sent_s, float(p), decide(limits, float(p), at)) for sent_s, p in zip(each.sent_s, own, strict=True)
        )
        found.append(replace(each.trial, raised=raised))
    return found
