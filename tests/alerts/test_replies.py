"""What a text message of a contact means, read without guessing."""

import pytest

from alerts.replies import Said, read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1", Said("going")),
        (" 1. ", Said("going")),
        ("YES", Said("going")),
        ("Yes!", Said("going")),
        ("y", Said("going")),
        ("1 20", Said("going", 20)),
        ("1, 20 min", Said("going", 20)),
        ("yes in 5 minutes", Said("going", 5)),
        ("Yes about 45", Said("going", 45)),
        ("１ ２０", Said("going", 20)),  # as some telephones write digits
        ("2", Said("cannot")),
        ("No.", Said("cannot")),
        ("n", Said("cannot")),
    ],
)
def test_what_is_clear_is_taken(text: str, said: Said) -> None:
    assert read(text) == said


@pytest.mark.parametrize(
    "text",
    ["", "12", "120", "1 0", "1 241", "1 2 3", "ok", "yes but not before six", "no problem, on my way", "not sure",
     "1 or 2?", "who is this", "yesterday", "2 20", "21", "1\n2", "x" * 5000],
)  # fmt: skip
def test_what_is_not_clear_is_left_to_a_person(text: str) -> None:
    assert read(text) is None
