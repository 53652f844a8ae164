"""The fitted model: boosted trees read from plain JSON, walked here, so that a hub needs no scikit-learn to judge.

The file holds numbers and names only. `telecare falls train` fits the trees with scikit-learn and writes it; what this
walk gives is what scikit-learn's own `decision_function` gives (tests/gateway/falls/test_model.py).
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, Literal, get_args

import msgspec

from gateway.falls import features
from gateway.falls.window import Floats
from telecare.errors import TelecareError

FORMAT: Final = 2
AT_WRIST: Final = "at_wrist"  # the last feature: 1 at a wrist, 0 elsewhere

# Wrists move by themselves; legs are shaken by every step; the trunk by little but what happens to the whole body.
WornAt = Literal["trunk", "leg", "wrist"]


class BadModel(TelecareError):
    """A file that is no model of ours."""


class Tree(msgspec.Struct, frozen=True):
    """One tree: lists with a place for each node, the root first. A node without children has `left` 0."""

    feature: list[int]
    threshold: list[float]  # at or below it: left
    missing_left: list[bool]  # where a feature without a value goes
    left: list[int]
    right: list[int]
    value: list[float]  # in log-odds; of inner nodes the mean of what is below, to say what a step changed


class Limits(msgspec.Struct, frozen=True):
    """From which probability on it is a possible fall, and a fall."""

    possible: float
    fall: float


class Model(msgspec.Struct, frozen=True):
    """All that is needed to judge a window."""

    format: int
    name: str
    features: list[str]
    start: float  # log-odds before the first tree
    trees: list[Tree]
    slope: float  # the calibrated log-odds are slope x what the trees say + offset
    offset: float
    limits: dict[WornAt, Limits]

    def log_odds(self, row: Sequence[float]) -> float:
        """What the trees say together, before calibration."""
        return self.start + sum(tree.value[_leaf(tree, row)] for tree in self.trees)

    def probability(self, row: Sequence[float]) -> float:
        """That it is a fall, calibrated on people that the trees had not seen."""
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, self.slope * self.log_odds(row) + self.offset))))

    def said(self, row: Sequence[float]) -> Mapping[str, float]:
        """How much each feature moved the log-odds, up or down, along the trees' paths (Saabas 2014)."""
        moved = dict.fromkeys(self.features, 0.0)
        for tree in self.trees:
            node = 0
            while tree.left[node]:
                below = _next(tree, node, row)
                moved[self.features[tree.feature[node]]] += tree.value[below] - tree.value[node]
                node = below
        return moved


def _leaf(tree: Tree, row: Sequence[float]) -> int:
    node = 0
    while tree.left[node]:
        node = _next(tree, node, row)
    return node


def _next(tree: Tree, node: int, row: Sequence[float]) -> int:
    value = row[tree.feature[node]]
    left = tree.missing_left[node] if math.isnan(value) else value <= tree.threshold[node]
    return tree.left[node] if left else tree.right[node]


def rows(windows: Floats, worn_at: WornAt) -> list[list[float]]:
    """Windows as the model takes them."""
    wrist = float(worn_at == "wrist")
    return [[*map(float, row), wrist] for row in features.matrix(windows)]


NAMES: Final = (*features.NAMES, AT_WRIST)


def read(text: bytes) -> Model:
    """A model from its file.

    Raises:
        BadModel: it is none, or one for other features.
    """
    try:
        model = msgspec.json.decode(text, type=Model)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise BadModel(f"no model: {problem}") from problem
    if model.format != FORMAT or tuple(model.features) != NAMES or set(model.limits) != set(get_args(WornAt)):
        raise BadModel("a model of another version: train it again")
    for tree in model.trees:
        _check(tree)
    return model


def _check(tree: Tree) -> None:
    """A walk must end: children come after their parents, and every list has a place for every node."""
    size = len(tree.value)
    lists = (tree.feature, tree.threshold, tree.missing_left, tree.left, tree.right)
    well = (
        size > 0
        and all(len(each) == size for each in lists)
        and all(
            (left == 0 and right == 0) or (node < left < size and node < right < size)
            for node, (left, right) in enumerate(zip(tree.left, tree.right, strict=True))
        )
        and all(0 <= feature < len(NAMES) for feature in tree.feature)
    )
    if not well:
        raise BadModel("a model with a tree that is none")


@cache
def shipped() -> Model:
    """The model that comes with this package."""
    return read(files("gateway.falls").joinpath("model.json").read_bytes())
