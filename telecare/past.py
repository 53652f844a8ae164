"""Records of the past, one JSON object a line: printed by `telecare simulate-year`, taken in by `import-history`.

A file begins with one `load`, then come people, episodes and cases, each naming council and person by the council's own
reference. The same file twice is taken in once.
"""

from datetime import date, datetime
from typing import Any

import msgspec


class Load(msgspec.Struct, frozen=True, kw_only=True, tag="load", forbid_unknown_fields=True):
    """What the file is. `total` counts the records after this one; nothing in it is later than `until`."""

    name: str
    until: date
    total: int


class PastPerson(msgspec.Struct, frozen=True, kw_only=True, tag="person", forbid_unknown_fields=True):
    """Somebody whom a council supported."""

    council: str
    reference: str
    name: str
    address: str
    postcode: str = ""
    born: date | None = None
    notes: str = ""


class PastEpisode(msgspec.Struct, frozen=True, kw_only=True, tag="episode", forbid_unknown_fields=True):
    """A reablement episode; `fields` are the columns of an import file (docs/commissioners.md)."""

    council: str
    person: str
    fields: dict[str, str]


class PastStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that was done about a case."""

    at: datetime
    who: str
    what: str
    detail: dict[str, Any] = {}


class PastCase(msgspec.Struct, frozen=True, kw_only=True, tag="case", forbid_unknown_fields=True):
    """An alert of a person, from raised to closed. The words are those of docs/integrators.md."""

    council: str
    person: str
    name: str  # unique within the file
    kind: str
    raised_at: datetime
    closed_at: datetime
    cause: str
    outcomes: list[str]
    confirmed_by: str
    how: str
    device: str = ""
    location: str | None = None
    answered_at: datetime | None = None
    answered_by: str = ""
    steps: list[PastStep] = []


Record = Load | PastPerson | PastEpisode | PastCase

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Load | PastPerson | PastEpisode | PastCase)


def encode(record: Record) -> bytes:
    """A record as a line, with its line end."""
    return _encoder.encode(record) + b"\n"


def decode(line: bytes) -> Record:
    """A line as a record.

    Raises:
        ValueError: it is none; the words say what is wrong.
    """
    try:
        record: Record = _decoder.decode(line)
    except msgspec.MsgspecError as problem:
        raise ValueError(str(problem)) from problem
    return record
