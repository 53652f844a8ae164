"""What somebody who searches means by what they typed. Pure."""

import re
from dataclasses import dataclass
from typing import Final

LIMIT: Final = 100  # characters of a search
_WORDS: Final = 8  # more say nothing more
_FEWEST_DIGITS: Final = 5  # of a telephone number; fewer are a house's number, or an alert's
_MOST_ALERT: Final = 2**63 - 1  # the largest number that an alert can have
_WORD: Final = re.compile(r"[^\W_]+")
_DIGITS_ONLY: Final = re.compile(r"[\d\s()+./-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Search:
    """One search, read in every way that it can be meant."""

    typed: str
    words: tuple[str, ...]  # in lower case; each must be found in a name or an address
    alert: int | None = None  # it may be the number of an alert
    digits: str = ""  # it may be a telephone number, or the end of one: without 0, 44 or +44 in front
    name: str = ""  # it may be the beginning of a hub's or a device's name


def read(typed: str) -> Search:
    """What may be meant by what was typed; nothing is found where nothing was."""
    text = " ".join(typed.replace("\0", "").split())[:LIMIT]
    words = tuple(dict.fromkeys(_WORD.findall(text.lower())))[:_WORDS]
    return Search(text, words, _alert(text), _digits(text), text.lower().replace(" ", "-"))


def _alert(text: str) -> int | None:
    number = text.lower().removeprefix("alert").strip().removeprefix("#")
    if not (number.isascii() and number.isdigit()):
        return None
    return int(number) if int(number) <= _MOST_ALERT else None


def _digits(text: str) -> str:
    if not _DIGITS_ONLY.fullmatch(text):
        return ""
    digits = re.sub(r"\D", "", text)
    for country in ("0044", "44", "0"):
        if digits.startswith(country):
            digits = digits.removeprefix(country)
            break
    return digits if len(digits) >= _FEWEST_DIGITS else ""
