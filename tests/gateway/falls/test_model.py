"""The model's file: plain numbers, checked before they are used, and what scikit-learn itself would say."""

from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from firmware_sim.falls import fit
from gateway.falls.judge import REASONS, Verdict, decide, judge, worn_at
from gateway.falls.model import NAMES, BadModel, Limits, Model, WornAt, read, shipped
from gateway.falls.window import MOMENTS
from tests.firmware_sim.signals import UP, Signal, windows
from tests.gateway.falls.test_features import fallen

LIMITS: dict[WornAt, Limits] = {"trunk": Limits(0.4, 0.7), "leg": Limits(0.3, 0.7), "wrist": Limits(0.2, 0.7)}


@pytest.fixture(scope="module")
def fitted() -> tuple[Any, Model]:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(2000, len(NAMES)))
    rows[rng.random(rows.shape) < 0.1] = np.nan
    falls = np.nan_to_num(rows[:, 3]) + np.nan_to_num(rows[:, 40]) + 2 * np.isnan(rows[:, 7]) > 0.5
    trees = HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=8, random_state=1).fit(rows, falls)
    return trees, fit.as_model(trees, 0.9, -0.1, dict(LIMITS))


def test_it_says_what_scikit_learn_says(fitted: tuple[Any, Model]) -> None:
    trees, model = fitted
    rows = np.random.default_rng(2).normal(size=(300, len(NAMES)))
    rows[::7, ::3] = np.nan
    ours = [model.log_odds(row) for row in rows.tolist()]
    assert ours == pytest.approx(trees.decision_function(rows), abs=1e-3)


def test_a_split_on_what_is_missing_is_written_too(fitted: tuple[Any, Model]) -> None:
    assert any(max(tree.threshold) > 1e200 for tree in fitted[1].trees)
    assert b"null" not in msgspec.json.encode(fitted[1])


def test_what_each_feature_said_adds_up(fitted: tuple[Any, Model]) -> None:
    _, model = fitted
    row = np.random.default_rng(3).normal(size=len(NAMES)).tolist()
    roots = sum(tree.value[0] for tree in model.trees)
    assert model.start + roots + sum(model.said(row).values()) == pytest.approx(model.log_odds(row), abs=1e-6)


def test_a_file_is_read_as_it_was_written(fitted: tuple[Any, Model]) -> None:
    _, model = fitted
    assert read(msgspec.json.encode(model)) == model


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 1),
        ("features", ["a"]),
        ("limits", {"trunk": {"possible": 0.1, "fall": 0.2}}),
        ("start", "x"),
        ("trees", [{"feature": [0], "threshold": [0], "missing_left": [True], "left": [0], "right": [0], "value": []}]),
    ],
)
def test_a_file_that_is_none_is_refused(fitted: tuple[Any, Model], field: str, value: Any) -> None:
    plain = msgspec.json.decode(msgspec.json.encode(fitted[1]))
    with pytest.raises(BadModel):
        read(msgspec.json.encode(plain | {field: value}))


@pytest.mark.parametrize(("left", "right"), [([0, 0, 0], [1, 0, 0]), ([1, 1, 0], [2, 2, 0]), ([3, 0, 0], [2, 0, 0])])
def test_a_walk_that_would_not_end_is_refused(fitted: tuple[Any, Model], left: list[int], right: list[int]) -> None:
    plain = msgspec.json.decode(msgspec.json.encode(fitted[1]))
    tree = {"feature": [0] * 3, "threshold": [0.0] * 3, "missing_left": [True] * 3, "value": [0.0] * 3}
    with pytest.raises(BadModel, match="tree"):
        read(msgspec.json.encode(plain | {"trees": [tree | {"left": left, "right": right}]}))


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\x80\x04pickle", b"null"])
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(BadModel):
        read(text)


@pytest.mark.parametrize(
    ("position", "at"),
    [
        ("wrist_left", "wrist"),
        ("Right Wrist", "wrist"),
        ("smartwatch", "wrist"),
        ("waist", "trunk"),
        ("chest", "trunk"),
        ("neck", "trunk"),
        ("lower back", "trunk"),
        ("", "trunk"),
        (None, "trunk"),
        ("hip", "leg"),
        ("right thigh", "leg"),
        ("Front pocket", "leg"),
        ("ankle", "leg"),
    ],
)
def test_a_place_is_known_by_its_name(position: str | None, at: str | None) -> None:
    assert worn_at(position) == at


@pytest.mark.parametrize(
    ("probability", "at", "verdict"),
    [
        (0.7, "trunk", Verdict.FALL),
        (0.69, "trunk", Verdict.POSSIBLE),
        (0.4, "trunk", Verdict.POSSIBLE),
        (0.39, "trunk", Verdict.NONE),
        (0.39, "leg", Verdict.POSSIBLE),
        (0.29, "leg", Verdict.NONE),
        (0.29, "wrist", Verdict.POSSIBLE),
    ],
)
def test_the_limits_decide(probability: float, at: Any, verdict: Verdict) -> None:
    assert decide(LIMITS, probability, at) is verdict


def test_the_shipped_model_knows_a_fall_and_says_why() -> None:
    found = judge(shipped(), fallen(), "trunk")
    assert found.verdict is not Verdict.NONE
    assert 1 <= len(found.reasons) <= REASONS


def test_the_shipped_model_knows_a_jump() -> None:
    jumping = Signal().hold(5, UP, 1.0, 0.3)
    for _ in range(6):
        jumping.hold(0.3, UP, 0.2).hold(0.12, UP, 3.0).hold(0.3, UP)
    jumping.hold(3, UP, 1.0, 0.3)
    for one in windows(jumping.samples):
        found = np.array([moment or (np.nan,) * 4 for moment in one.moments], float) / 1000
        assert judge(shipped(), found, "trunk").verdict is Verdict.NONE


def test_what_cannot_be_read_is_possible() -> None:
    found = judge(shipped(), None, "trunk")
    assert (found.verdict, found.probability) == (Verdict.POSSIBLE, None)


def test_a_tap_on_a_pendant_at_rest_is_no_fall() -> None:
    made = np.ones((MOMENTS, 4))
    made[:, :3] = (0, 0, 1)
    made[62] = (0, 0, 1.5, 1.5)
    assert judge(shipped(), made, "trunk").verdict is Verdict.NONE
