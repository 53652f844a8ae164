"""Measuring the detector: the figures are those of hand-counted cases, and any directory of recordings just works."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from alerts import labels_store
from alerts.labels import Label, Source
from firmware_sim.falls import cli
from firmware_sim.falls.evaluate import Outcome, Raised, report
from firmware_sim.falls.listen import impact_s, listen
from firmware_sim.falls.stats import garwood, wilson
from firmware_sim.recordings import Trial
from gateway.falls.judge import Verdict, judge
from gateway.falls.model import read
from gateway.falls.window import decode
from telecare.trace import encode
from tests.firmware_sim.signals import FLAT, UP, Signal, windows

KEYS = ["dataset", "position", "age_group", "stage", "falls", "adl_trials", "sensitivity", "sensitivity_ci",
        "specificity", "specificity_ci", "adl_hours", "false_per_hour", "delay_s_median"]  # fmt: skip


def trial(is_fall: bool, *raised: Raised, age: str = "young", hours: float = 0.5) -> Outcome:
    return Outcome("d", "waist", age, is_fall, hours, impact_s=10.0, raised=raised)


def alarm(verdict: Verdict, sent_s: float = 13.5) -> Raised:
    return Raised(sent_s, {"fall": 0.9, "possible-fall": 0.5, "no-fall": 0.1}[verdict.value], verdict)


FOUND = [
    trial(True, alarm(Verdict.FALL)),
    trial(True, alarm(Verdict.POSSIBLE, 15.0)),
    trial(True, alarm(Verdict.NONE)),
    trial(True),
    trial(False),
    trial(False, alarm(Verdict.NONE)),
    trial(False, alarm(Verdict.POSSIBLE), alarm(Verdict.POSSIBLE), age="older"),
    trial(False, alarm(Verdict.FALL), age="older", hours=1.0),
]


def row(stage: str, age: str = "all") -> dict[str, Any]:
    (found,) = [each for each in report(FOUND) if (each["stage"], each["age_group"]) == (stage, age)]
    return found


def test_each_stage_counts_what_it_would_raise() -> None:
    assert [row(stage)["sensitivity"] for stage in ("trigger", "both", "both-fall-only")] == [0.75, 0.5, 0.25]
    assert [row(stage)["specificity"] for stage in ("trigger", "both", "both-fall-only")] == [0.25, 0.5, 0.75]
    assert row("both")["adl_hours"] == 2.5
    assert row("both")["false_per_hour"] == 3 / 2.5
    assert row("both")["delay_s_median"] == pytest.approx((3.5 + 5.0) / 2)


def test_age_groups_stand_beside_all() -> None:
    assert (row("both", "older")["falls"], row("both", "older")["adl_trials"]) == (0, 2)
    assert row("both", "older")["sensitivity"] is None
    assert row("both", "older")["specificity"] == 0.0
    assert row("both", "young")["specificity"] == 1.0
    assert all(list(each)[:5] == KEYS[:5] and set(KEYS) <= each.keys() for each in report(FOUND))


def test_calibration_says_what_was_said_and_what_was() -> None:
    assert row("both")["calibration"] == [
        {"trials": 2, "said": 0.1, "were_falls": 0.5},
        {"trials": 2, "said": 0.5, "were_falls": 0.5},
        {"trials": 2, "said": 0.9, "were_falls": 0.5},
    ]


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)],
)
def test_wilsons_interval_is_the_published_one(hits: int, of: int, low: float, high: float) -> None:
    """The last two: Newcombe, Statistics in Medicine 1998, 17:857, table I, method 3."""
    assert wilson(hits, of) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("events", "low", "high"), [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904)])
def test_garwoods_interval_is_the_exact_one(events: int, low: float, high: float) -> None:
    assert garwood(events, 1.0) == pytest.approx((low, high), abs=5e-5)
    assert garwood(events, 0.0) is None


def test_the_impact_of_a_clipped_recording_is_the_first_at_the_top() -> None:
    made = Signal().hold(1, UP).hold(0.1, FLAT, 3.0).hold(0.1, FLAT, 2.5).hold(0.1, FLAT, 3.0).hold(1, FLAT).trial()
    assert impact_s(made) == pytest.approx(1.0)
    assert impact_s(replace(made, a=np.clip(made.a, -2, 2))) == pytest.approx(1.0)


def test_samples_that_are_no_numbers_are_left_out() -> None:
    made = Signal().hold(5, UP).fall().trial(True)
    made.a[::10] = np.nan
    made.t[5] = np.inf
    made.a[7] = np.inf
    assert len(listen(made)) == 1


# ---------------------------------------------------------------- the command


def people() -> list[Trial]:
    rng = np.random.default_rng(1)
    made = []
    for number in range(10):
        turned = tuple(rng.uniform(-3, 3, 3).tolist())
        for position, rate_hz in (("chest", 200), ("left wrist", 20)):
            fall = Signal(rate_hz, turned).hold(5, UP, 1.0, 0.2).fall().trial(True, position, f"S{number}", "f")
            walk = Signal(rate_hz, turned).hold(6, UP, 1.0, 0.3).hold(0.1, UP, 2.2).hold(6, UP, 1.0, 0.3)
            made += [fall, walk.trial(False, position, f"S{number}", "w")]
    return [replace(each, a=each.a + rng.normal(0, 0.02, each.a.shape), age_group="") for each in made]


def write(path: Path, trials: list[Trial]) -> None:
    tables = []
    for each in trials:
        count = len(each.t)
        names = ("dataset", "subject", "age_group", "trial", "activity", "position")
        about = {name: [getattr(each, name) or None] * count for name in names}
        axes = dict(zip(("ax", "ay", "az"), each.a.T, strict=True))
        tables.append(pyarrow.table({**about, "is_fall": [each.is_fall] * count, "t": each.t, **axes}))
    pyarrow.parquet.write_table(pyarrow.concat_tables(tables, promote_options="permissive"), path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "deeper").mkdir()
    write(folder / "deeper" / "drawn.parquet", people())
    pyarrow.parquet.write_table(pyarrow.table({"home": ["a"], "t": [1.0]}), folder / "homes.parquet")
    (folder / "trials.csv").write_text("dataset,subject\n")
    (folder / "broken.parquet").write_text("not a recording")
    return folder


def run(*arguments: str) -> Any:
    import typer

    app = typer.Typer()
    cli.register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["falls", *arguments])


def test_any_directory_of_recordings_is_measured(data: Path) -> None:
    found = run("evaluate", "--data", str(data), "--json")
    assert found.exit_code == 0, found.output
    groups = json.loads(found.stdout)["groups"]
    places = {(each["dataset"], each["position"], each["age_group"], each["stage"]) for each in groups}
    assert places == {
        ("drawn", position, age, stage)
        for position in ("chest", "left wrist")
        for age in ("all", "unknown")
        for stage in ("trigger", "both", "both-fall-only")
    }
    for each in groups:
        assert set(KEYS) <= each.keys()
        assert (each["falls"], each["adl_trials"]) == (10, 10)
        if each["stage"] == "trigger":
            assert each["sensitivity"] == 1.0


def test_only_some_positions(data: Path) -> None:
    for arguments in (["--positions", "chest,ankle"], ["--positions", "chest", "ankle"], ["--positions=chest"]):
        found = run("evaluate", "--data", str(data), "--json", *arguments)
        assert {each["position"] for each in json.loads(found.stdout)["groups"]} == {"chest"}, found.output


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--positions", "nose"], "no trial at nose"),
        (["nose"], "not understood"),
        (["--model", "homes.parquet"], "no model"),
    ],
)
def test_what_cannot_be_measured_is_one_clear_line(data: Path, arguments: list[str], why: str) -> None:
    arguments = [str(data / each) if each.endswith(".parquet") else each for each in arguments]
    found = run("evaluate", "--data", str(data), *arguments)
    assert why in str(found.exception)


def test_a_directory_without_recordings_says_so(tmp_path: Path) -> None:
    assert "no recordings" in str(run("evaluate", "--data", str(tmp_path)).exception)


def test_a_model_is_made_from_recordings_the_same_from_the_same_seed(data: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        found = run("train", "--data", str(data), "--out", str(tmp_path / out), "--seed", "3")
        assert found.exit_code == 0, found.output
    one, two = ((tmp_path / out / "model.json").read_bytes() for out in ("one", "two"))
    assert one == two
    card = (tmp_path / "one" / "model-card.md").read_text()
    assert "| drawn | chest | 10 | 0 | 10 | 10 |" in card
    groups = json.loads(
        run("evaluate", "--data", str(data), "--model", str(tmp_path / "one" / "model.json"), "--json").stdout
    )["groups"]
    assert all(each["sensitivity"] == 1.0 and each["specificity"] == 1.0 for each in groups if each["stage"] == "both")


def test_too_few_people_to_leave_some_out_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "few.parquet", people()[:8])
    assert "people" in str(run("train", "--data", str(tmp_path)).exception)


def test_windows_labelled_at_homes_teach_and_are_in_no_figure(data: Path, tmp_path: Path) -> None:
    before = run("train", "--data", str(data), "--out", str(tmp_path / "before"))
    assert before.exit_code == 0, before.output
    both = tmp_path / "both"
    shutil.copytree(data, both)
    (window,) = windows(Signal().hold(5, UP, 1.0, 0.1).fall().samples)
    label = Label(
        subject="a1", trial="000001", age_group="older", position="neck", is_fall=False, source=Source.FALSE,
        probability=0.9, model="falls-1", trace=encode(window.moments),
    )  # fmt: skip
    labels_store.write(both / "labels.parquet", "coded", [label] * 300)  # this wearer throws herself into her chair
    found = run("train", "--data", str(both), "--out", str(tmp_path / "after"))
    assert found.exit_code == 0, found.output
    assert "300 of them labelled at homes" in found.output
    card = (tmp_path / "after" / "model-card.md").read_text()
    assert "And 300 windows that were coded at the homes of 1 people who consented" in card
    assert "| coded |" not in card
    old, new = (read((tmp_path / name / "model.json").read_bytes()) for name in ("before", "after"))
    trace = decode(encode(window.moments))
    said_before, said_after = (judge(each, trace, "trunk").probability or 0 for each in (old, new))
    assert said_before > 0.9 > 0.5 > said_after
