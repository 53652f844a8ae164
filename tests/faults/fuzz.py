"""Messages that no sane hub would send, made by a small grammar from a seed.

Each is unlike every other, so that what is kept of it can be found again.
"""

import json
import random
from typing import Any, Final

LONG: Final = 64 * 1024  # characters of a text that is too long for anything

_WRONG: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 1.5, 2**63, 2**70, "", "\0", "nan", "x" * LONG, [], {}, [[]], {"": {}}, "2026-13-45T99:99:99Z",
    "1970-01-01T00:00:00Z", "2038-01-19T03:14:08Z", "9999-12-31T23:59:59-23:59", "\ud83d\ude00", "\ud800",
    "'; drop table alarms",
)  # fmt: skip
_NOT_JSON: Final = (
    b"", b"\0", b"\xff\xfe\x00", b"{", b"[", b'{"id":', b"NaN", b"Infinity", b'{"v": NaN}', b'[{"n": "x", "v": NaN}]',
    b"[" * 5000, b'{"a":' * 5000, b"\xc3\x28", b'"' + b"x" * LONG + b'"', b"not json at all",
)  # fmt: skip
_NOT_AN_OBJECT: Final = (b"19.5", b'"text"', b"true", b"null", b"[]", b"[1, 2]", b"-0", b"1e999")


class Fuzz:
    """Makes messages."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._made = 0

    def _mark(self, payload: bytes) -> bytes:
        """White space and a number that no other has; what was no JSON stays none."""
        self._made += 1
        return payload + b" " * 3 + (f"#{self._made}".encode() if self._rng.random() < 0.5 else b" " * self._made)

    def nonsense(self) -> bytes:
        """Bytes that are no JSON, or JSON that is no object."""
        return self._mark(self._rng.choice(_NOT_JSON + _NOT_AN_OBJECT))

    def alarm(self, good: dict[str, Any]) -> bytes:
        """An alarm with some of its fields wrong, missing, or with fields nobody knows."""
        made = dict(good)
        for name in self._rng.sample(sorted(made), self._rng.randint(1, 4)):
            if self._rng.random() < 0.2:
                del made[name]
            else:
                made[name] = self._rng.choice(_WRONG)
        if self._rng.random() < 0.3:
            made[self._rng.choice(["", "unknown", "\0", "x" * 300])] = self._rng.choice(_WRONG)
        self._made += 1
        made["nobody knows this"] = self._made
        return json.dumps(made).encode()

    def state(self) -> bytes:
        """A hub's state that is none."""
        made: dict[str, Any] = {"online": True, "session": 1, "heartbeat_s": 60}
        name = self._rng.choice(sorted(made))
        made[name] = {"online": "yes", "session": self._rng.choice([-1, 2**70, None, "1"]), "heartbeat_s": 1e9}[name]
        return self._numbered(made)

    def result(self) -> bytes:
        """A command's result that is none."""
        return self._numbered(self._rng.choice([{"id": 1, "ok": True}, {"ok": True}, {"id": "x", "ok": "yes"}]))

    def pack(self) -> bytes:
        """A pack in which no record is a reading."""
        record = self._rng.choice(
            [
                {"n": "env-1/temperature", "u": "Cel", "v": "warm"},
                {"n": "env-1/temperature", "u": "furlong", "v": 1},
                {"n": "env-1/unheard-of", "v": 1},
                {"n": "no slash and spaces", "v": 1},
                {"n": "env-1/temperature", "u": "Cel"},
                {"n": "env-1/temperature", "u": "Cel", "v": 1, "must_": 1},
                {"n": "x" * LONG + "/motion", "vb": True},
                {"bver": 99, "n": "env-1/motion", "vb": True},
            ]
        )
        return b"[" + self._numbered(record) + b"]"

    def _numbered(self, made: dict[str, Any]) -> bytes:
        self._made += 1
        return json.dumps(made | {"nobody knows this": self._made}).encode()
