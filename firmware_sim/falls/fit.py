"""Fits the second stage: which windows it learns from, how they are weighed, boosted trees, calibration, limits.

Each fit has one thread, so that its sums are made in one order on any machine. Several fits run side by side, in
processes.
"""

import math
import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from gateway.falls.judge import worn_at
from gateway.falls.model import FORMAT, NAMES, Limits, Model, Tree, WornAt
from gateway.falls.window import Floats

Mask = npt.NDArray[np.bool_]

MODEL: Final = "falls-1"
# Small trees with a strong pull to the middle: there are few people, however many windows they gave.
TREES: Final = 250
LEARNING_RATE: Final = 0.06
LEAVES: Final = 15
LEAST_IN_A_LEAF: Final = 40
PULL: Final = 3.0
SHARE_OF_FEATURES: Final = 0.3
SMALLEST: Final = 200  # windows; a data set and position with fewer weighs by this many, or one window would be loud
_ENDLESS: Final = 1e300
DIGITS: Final = 6  # of the numbers in the file

LOST_AT_MOST: Final = 0.02  # of the triggered recorded falls of a position: 1 in 50
LEAST_QUIET: Final = {"body": 0.992, "wrist": 0.88}  # this share of the triggered trials of daily living stays quiet
SURE: Final = 0.5  # this share of the alarmed trials of daily living is not called a fall, only a possible one


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows to learn from, or to be measured on; a place in each array for each window."""

    rows: Floats  # (n, len(NAMES))
    is_fall: Mask  # whether its trial is a fall
    at_impact: Mask  # ... and whether it is around that trial's impact
    trial: npt.NDArray[np.int64]  # which trial
    subject: npt.NDArray[np.str_]
    dataset: npt.NDArray[np.str_]
    position: npt.NDArray[np.str_]
    recorded: Mask  # as it was recorded, not augmented

    def __getitem__(self, which: Mask) -> "Windows":
        return Windows(*(getattr(self, name)[which] for name in self.__slots__))

    @property
    def teach(self) -> Mask:
        """Daily living, and falls; not what happened before and after a fall within its recording."""
        return ~self.is_fall | self.at_impact


def fit(windows: Windows, seed: int) -> Any:
    """The trees (a fitted scikit-learn classifier), from every window that teaches."""
    those = windows[windows.teach]
    trees = HistGradientBoostingClassifier(
        max_iter=TREES,
        learning_rate=LEARNING_RATE,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=LEAST_IN_A_LEAF,
        l2_regularization=PULL,
        max_features=SHARE_OF_FEATURES,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1):
        return trees.fit(those.rows, those.is_fall, sample_weight=weights(those))


def weights(windows: Windows) -> Floats:
    """Falls and daily living weigh the same in all; within each, a large recording less than its size says.

    Each data set and position counts by the square root of its windows, so that one that is large does not drown the
    others; below `SMALLEST` by their number.
    """
    places = np.char.add(np.char.add(windows.dataset, "/"), windows.position)
    weight = np.zeros(len(places))
    for fell in (False, True):
        own = windows.is_fall == fell
        _, place, count = np.unique(places[own], return_inverse=True, return_counts=True)
        each = 1 / np.sqrt(np.maximum(count, SMALLEST)[place])
        weight[own] = each / each.sum() * len(places) / 2
    return weight


def folds(windows: Windows, count: int, seed: int) -> list[Mask]:
    """People with recordings in `count` groups; a mask for each, of the windows of its people."""
    people = np.unique(windows.subject[windows.recorded])
    np.random.default_rng(seed).shuffle(people)
    return [np.isin(windows.subject, people[part::count]) for part in range(count)]


def unseen(windows: Windows, left_out: Sequence[Mask], seed: int, processes: int | None = None) -> Floats:
    """The log-odds of each recorded window, by trees that saw nothing of its mask; NaN where no mask holds it."""
    found = np.full(len(windows.rows), np.nan)
    count = min(processes or os.cpu_count() or 1, len(left_out))
    with multiprocessing.get_context("forkserver").Pool(count, _begin, (windows, seed)) as pool:
        for mask, log_odds in zip(left_out, pool.imap(_without, left_out), strict=True):
            found[mask & windows.recorded] = log_odds
    return found


_windows: Windows  # of a process that fits
_seed: int


def _begin(windows: Windows, seed: int) -> None:
    global _windows, _seed
    _windows, _seed = windows, seed


def _without(mask: Mask) -> Floats:
    trees = fit(_windows[~mask], _seed)
    with threadpool_limits(1):
        found: Floats = trees.decision_function(_windows.rows[mask & _windows.recorded])
    return found


def calibrate(log_odds: Floats, windows: Windows) -> tuple[float, float]:
    """Platt's slope and offset on people not seen, falls and daily living in equal parts (Platt 1999)."""
    asked = np.isfinite(log_odds) & windows.teach
    weight = weights(windows[asked])
    line = LogisticRegression(C=1e6).fit(log_odds[asked, None], windows.is_fall[asked], sample_weight=weight)
    return float(line.coef_[0, 0]), float(line.intercept_[0])


def probability(log_odds: Floats, slope: float, offset: float) -> Floats:
    """Calibrated."""
    found: Floats = 1 / (1 + np.exp(-np.clip(slope * log_odds + offset, -30, 30)))
    return found


def limits(likely: Floats, windows: Windows, at: WornAt) -> Limits | None:
    """From where on a window is a possible fall at a place, and a fall; None without falls, or daily living, there.

    Two limits meet: so low that each position of the place loses 1 in 50 of its triggered recorded falls at most, and
    so high that daily living is as quiet as `LEAST_QUIET`. Daily living at the trunk and at legs is one: what people do
    does not depend on where they wear it, and which recordings have it does. Half-way where both limits hold. Where
    they cannot, the falls decide; at wrists, quiet does: there some recorded falls show no blow, and to have these as
    well one trial of daily living in six would alarm.
    """
    places = np.array([worn_at(position) for position in windows.position])
    asked = np.isfinite(likely)
    living = asked & ~windows.is_fall & ((places == "wrist") == (at == "wrist"))
    falls = asked & windows.is_fall & (places == at)
    if not falls.any() or not living.any():
        return None
    lost = min(
        float(
            np.quantile(_loudest(likely, windows, falls & (windows.position == position)), LOST_AT_MOST, method="lower")
        )
        for position in np.unique(windows.position[falls])
    )
    loudest = _loudest(likely, windows, living)
    # Trials in which nothing triggered are quiet as well, and not counted here: the limit errs towards quiet.
    quiet = float(np.quantile(loudest, LEAST_QUIET["wrist" if at == "wrist" else "body"]))
    between = (lost + quiet) / 2
    possible = max(quiet, between) if at == "wrist" else min(lost, between)
    alarmed = loudest[loudest >= possible]
    fall = max(possible, float(np.quantile(alarmed, SURE))) if len(alarmed) else possible
    # Rounded down: a fall that lies on the limit is not lost to its last digit.
    return Limits(possible=math.floor(possible * 1e4) / 1e4, fall=math.floor(fall * 1e4) / 1e4)


def _loudest(likely: Floats, windows: Windows, those: Mask) -> Floats:
    """The largest probability in each trial that has any of these windows."""
    _, place = np.unique(windows.trial[those], return_inverse=True)
    found = np.zeros(place.max() + 1)
    np.maximum.at(found, place, likely[those])
    return found


def as_model(trees: Any, slope: float, offset: float, found: dict[WornAt, Limits]) -> Model:
    """The fitted trees as plain numbers."""
    (start,) = np.ravel(trees._baseline_prediction)
    each = [_tree(predictor.nodes) for (predictor,) in trees._predictors]
    return Model(FORMAT, MODEL, list(NAMES), float(start), each, round(slope, DIGITS), round(offset, DIGITS), found)


def _tree(nodes: Any) -> Tree:
    """One tree. Inner nodes get the mean of the leaves below, weighed by their windows."""
    leaf = nodes["is_leaf"].astype(bool)
    value = np.where(leaf, nodes["value"], 0.0)
    left = np.where(leaf, 0, nodes["left"]).tolist()
    right = np.where(leaf, 0, nodes["right"]).tolist()
    count = nodes["count"].astype(float)
    for node in reversed(range(len(nodes))):
        if left[node]:
            below = [left[node], right[node]]
            value[node] = float(np.average(value[below], weights=count[below]))
    return Tree(
        feature=np.where(leaf, 0, nodes["feature_idx"]).astype(int).tolist(),
        threshold=[_short(x) for x in np.where(leaf, 0.0, nodes["num_threshold"]).tolist()],
        missing_left=nodes["missing_go_to_left"].astype(bool).tolist(),
        left=left,
        right=right,
        value=[_short(x) for x in value.tolist()],
    )


def _short(number: float) -> float:
    # A split that only tells what is there from what is missing has no end to its threshold; JSON has no infinity.
    return float(f"{max(-_ENDLESS, min(_ENDLESS, number)):.{DIGITS}g}")
