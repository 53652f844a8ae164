"""Reading recorded trials: only what is wanted, and a clear line for what is no recording."""

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from firmware_sim.recordings import Wanted, read_trials
from firmware_sim.replay import hub_name
from telecare.errors import CannotStart
from telecare.wire import HUB_NAME


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two invented subjects, in a row group each; the second wore two devices."""
    keys = [
        ("S1", "F01", "r1", "waist"),
        ("S1", "D01", "r1", "waist"),
        ("S2", "D01", "r1", "hip"),
        ("S2", "D01", "r1", "wrist"),
    ]
    path = tmp_path / "made-up.parquet"
    schema = pyarrow.schema(
        [(name, pyarrow.string()) for name in ("subject", "activity", "trial", "position")]
        + [(name, pyarrow.float64()) for name in ("t", "ax", "ay", "az")]
    )
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for subject in ("S1", "S2"):
            rows = [(*key, n / 50, 0.0, 1.0, 0.0) for key in keys if key[0] == subject for n in range(100)]
            columns = [pyarrow.array(column) for column in zip(*rows, strict=True)]
            writer.write_table(pyarrow.table(columns, schema=schema))
    return path


def test_all_trials_are_read_as_they_stand(recording: Path) -> None:
    trials = list(read_trials([recording], Wanted()))
    assert [(t.subject, t.activity, t.position) for t in trials] == [
        ("S1", "F01", "waist"), ("S1", "D01", "waist"), ("S2", "D01", "hip"), ("S2", "D01", "wrist"),
    ]  # fmt: skip
    assert {len(trial.t) for trial in trials} == {100}
    assert trials[0].length_s == pytest.approx(1.98)


def test_a_trial_that_goes_on_in_the_next_row_group_is_one(recording: Path, tmp_path: Path) -> None:
    table = pyarrow.parquet.read_table(recording)
    pyarrow.parquet.write_table(table, tmp_path / "small-groups.parquet", row_group_size=30)
    found = list(read_trials([tmp_path / "small-groups.parquet"], Wanted()))
    assert [(t.names, len(t.t)) for t in found] == [(t.names, 100) for t in read_trials([recording], Wanted())]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Wanted(subject="S2"), 2),
        (Wanted(activity="F01"), 1),
        (Wanted(position="wrist", trial="r1"), 1),
        (Wanted(subject="S3"), 0),
        (Wanted(subject="S1", position="hip"), 0),
    ],
)
def test_only_what_is_wanted_is_read(recording: Path, wanted: Wanted, count: int) -> None:
    assert len(list(read_trials([recording], wanted))) == count


def test_a_file_without_the_columns_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "homes.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"subject": ["S1"], "t": [0.0]}), path)
    with pytest.raises(CannotStart, match=r"homes\.parquet.*activity"):
        list(read_trials([path], Wanted()))


@pytest.mark.parametrize("name", ["nowhere.parquet", "text.parquet"])
def test_a_file_that_is_no_parquet_is_one_clear_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.parquet").write_text("not a recording")
    with pytest.raises(CannotStart, match=name) as caught:
        list(read_trials([tmp_path / name], Wanted()))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("subject", ["SA01", "Y01", "person 7/left", "Ünal", "", "-x-", "a" * 100])
def test_any_subject_has_a_hub_of_a_good_name(subject: str) -> None:
    assert HUB_NAME.fullmatch(hub_name(subject))
