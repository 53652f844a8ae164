"""Telephone numbers as people write them, in the one way machines compare them."""

import pytest

from telecare.phones import e164


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("01632 960000", "+441632960000"),  # Ofcom's numbers for drama: in no list of numbers in use
        ("(01632) 960-999", "+441632960999"),
        (" 07700 900 982 ", "+447700900982"),
        ("07700900982", "+447700900982"),
        ("+44 7700 900982", "+447700900982"),
        ("0044 7700 900982", "+447700900982"),
        ("+44 (0)7700 900982", "+447700900982"),
        ("447700900982", "+447700900982"),  # as GOV.UK Notify writes the number of a received text
        ("020 7946 0000", "+442079460000"),
        ("+33 1 99 00 12 34", "+33199001234"),
    ],
)
def test_a_number_is_the_same_however_it_is_written(typed: str, number: str) -> None:
    assert e164(typed) == number


def test_the_region_says_whose_national_numbers_are_meant() -> None:
    assert e164("01 99 00 12 34", "FR") == "+33199001234"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Enter a telephone number"),
        ("   ", "Enter a telephone number"),
        ("ask Jo", "like 01632"),
        ("960000", "too short"),
        ("0", "like 01632"),
        ("01632 960000 01632 960000", "too long"),
        ("+999 1632 960000", "country code"),
        ("01632 960000 ext 4", "without an extension"),
    ],
)
def test_what_is_no_number_is_refused_in_plain_words(typed: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        e164(typed)
