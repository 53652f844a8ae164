"""Whole columns for PostgreSQL as binary arrays, packed at once: psycopg packs a list one element at a time, in Python.

The format is `array_send`'s (src/backend/utils/adt/arrayfuncs.c): dimensions, flags, element type, length, lower bound;
then each element with its size before it.
"""

import struct
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER: Final = struct.Struct(">iiIii")
# PostgreSQL counts microseconds from 2000, we count them from 1970.
POSTGRES_EPOCH_US: Final = 946_684_800_000_000


class _Column:
    """One column, packed."""

    code: str
    size: int
    element: int  # the type's number in pg_type

    def __init__(self, values: Sequence[int] | Sequence[float]) -> None:
        """Pack them; raises `struct.error` for one that the type does not hold."""
        count = len(values)
        flat: list[Any] = [self.size] * (2 * count)
        flat[1::2] = values
        head = _HEADER.pack(1, 0, self.element, count, 1)
        self.data = head + struct.pack(f">{('i' + self.code) * count}", *flat)


class Int4s(_Column):
    """integer[]"""

    code, size, element = "i", 4, 23


class Float8s(_Column):
    """double precision[]"""

    code, size, element = "d", 8, 701


class Instants(_Column):
    """timestamptz[], from microseconds since 1970."""

    code, size, element = "q", 8, 1184

    def __init__(self, values: Sequence[int]) -> None:
        """Pack them; raises `struct.error` for one that the type does not hold."""
        super().__init__([value - POSTGRES_EPOCH_US for value in values])


def _dumper(array_oid: int) -> type[Dumper]:
    class ColumnDumper(Dumper):
        format = Format.BINARY
        oid = array_oid

        def dump(self, obj: _Column) -> bytes:
            return obj.data

    return ColumnDumper


for _column, _oid in ((Int4s, 1007), (Float8s, 1022), (Instants, 1185)):
    psycopg.adapters.register_dumper(_column, _dumper(_oid))
