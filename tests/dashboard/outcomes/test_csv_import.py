"""CSV files as spreadsheets write them."""

from datetime import date

import pytest

from dashboard.outcomes.csv_import import File, NotAFile, mark_overlaps, plain_cell, read_file, safe_cell, write_rows
from tests.dashboard.outcomes.files import big_file

TODAY = date(2026, 11, 24)


def read(text: str | bytes) -> File:
    return read_file(text.encode() if isinstance(text, str) else text, TODAY, most_lines=20_000)


@pytest.mark.parametrize(
    "content",
    [
        "person,reason,started_on\nA1,fall,02/03/2026\n",
        "\ufeffperson,reason,started_on\r\nA1,fall,02/03/2026\r\n",
        "Person;Reason;Started on\r\nA1;Fall at home;2026-03-02\r\n\r\n;;\r\n",
        "person\treason\tstarted-on\nA1\tfall\t2.3.2026",
        'sep=;\r\n"person";"reason";"started_on"\r\n"A1";"fall";"02/03/2026"',
        "person,reason,started_on\nA1,fall,02/03/2026\n".encode("utf-16"),
    ],
)
def test_delimiters_line_ends_and_encodings(content: str | bytes) -> None:
    file = read(content)
    (line,) = file.lines
    assert (line.problems, line.person, line.number) == ([], "A1", 2)
    assert line.episode is not None
    assert line.episode.started_on == date(2026, 3, 2)
    assert file.notes == []


def test_an_old_encoding_is_read_and_said() -> None:
    file = read("person,reason,started_on,goal_1\nA1,fall,02/03/2026,Go to the café\n".encode("cp1252"))
    assert file.lines[0].episode is not None
    assert file.lines[0].episode.goals[0].words == "Go to the café"
    assert "read as Windows-1252" in file.notes[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \r\n", "missing: person, reason, started_on"),
        (b"PK\x03\x04xxxx", "Excel workbook"),
        (b"\x00\x01\x02", "not a text file"),
        (b"name,address\nA,B\n", "missing: person, reason, started_on. It has: name, address"),
        (b"person,reason,started_on,Reason\n", "twice"),
    ],
)
def test_what_is_no_file_of_episodes_is_refused_in_words(content: bytes, said: str) -> None:
    with pytest.raises(NotAFile, match=said):
        read(content)


def test_too_many_lines() -> None:
    with pytest.raises(NotAFile, match="3 lines; at most 2"):
        read_file(b"person,reason,started_on\n" + b"a,fall,1/1/2026\n" * 3, TODAY, most_lines=2)


def test_a_quotation_mark_that_is_never_closed_costs_only_what_follows_it() -> None:
    file = read('person,reason,started_on,goal_1\nA,fall,1/1/2026,x\nB,fall,1/1/2026,"walk\nC,fall,1/1/2026,y\n')
    assert [bool(line.episode) for line in file.lines] == [True, False]
    assert "never closed" in file.lines[1].problems[0][1]
    assert read('person,reason,started_on,goal_1\nA,fall,1/1/2026,"a\nb"').lines[0].problems == []


def test_unknown_columns_are_said_and_a_line_with_too_many_cells_is_wrong() -> None:
    file = read("person,reason,started_on,colour\nA,fall,1/1/2026,red\nB,fall,1/1/2026,red,more\n")
    assert "left out: colour" in file.notes[0]
    assert file.lines[0].episode is not None
    assert file.lines[1].problems == [("", "Has 5 cells, the first line has 4")]


def test_overlaps_inside_a_file_name_the_other_line() -> None:
    file = read(
        "person,reason,started_on,ended_on,end_reason,sequel\nA,fall,1/1/2026,1/2/2026,completed,none\n"
        "B,fall,1/1/2026,1/2/2026,completed,none\nA,fall,1/2/2026,,,\nA,fall,2/2/2026,,,\n"
    )
    mark_overlaps(file.lines, ["a", "b", "a", "a"])
    assert [bool(line.episode) for line in file.lines] == [True, True, False, True]
    words = "Overlaps line 2: 1 January 2026 to 1 February 2026. A person has one episode at a time"
    assert file.lines[2].problems == [("started_on", words)]


def test_no_cell_becomes_a_formula_and_what_was_made_safe_comes_back() -> None:
    for cell in ("=1+1", "+44", "-2", "@x", "\tx"):
        assert safe_cell(cell) == f"'{cell}"
        assert plain_cell(safe_cell(cell)) == cell
    assert (safe_cell("it's"), plain_cell("'tis")) == ("it's", "'tis")
    assert write_rows(["a"], [['say "hi"'], ["=x"]]) == 'a\r\n"say ""hi"""\r\n\'=x\r\n'


def test_five_thousand_lines_are_read() -> None:
    file = read(big_file())
    assert len(file.lines) == 5000
