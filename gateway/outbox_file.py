"""The file under the outbox: its tables, its versions, its transactions, and what is done when there is no room."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from gateway.outbox_schema import STEPS, VERSION
from gateway.reserve import Reserve
from telecare.errors import CannotStart, TelecareError

_WAL_PAGES: Final = 100  # then the pages go into the file, and the log is used again from its beginning
_WAL_KEPT_BYTES: Final = 4 * 1024 * 1024  # a log that was longer for once is cut back to this
_BUSY_S: Final = 5  # another process may be looking
_THIN_AT_LEAST: Final = 1000  # readings that make room at once
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})

Box = TypeVar("Box", bound="OutboxFile")
Given = ParamSpec("Given")
Result = TypeVar("Result")


class NoRoom(TelecareError):
    """The disk is full, and all that could make room has been given up. The same call may work later."""


def durable(
    method: Callable[Concatenate[Box, Given], Result],
) -> Callable[Concatenate[Box, Given], Result]:
    """Run a method in one transaction, on the disk when it returns. Where there is no room, room is made for it.

    Raises:
        NoRoom: there is none to be made.
    """

    @wraps(method)
    def whole(self: Box, /, *args: Given.args, **kwargs: Given.kwargs) -> Result:
        return self.in_transaction(lambda: method(self, *args, **kwargs), self.making_room())

    return whole


def modest(
    method: Callable[Concatenate[Box, Given], Result],
) -> Callable[Concatenate[Box, Given], Result]:
    """As `durable`, for what is not worth the reserve.

    Raises:
        NoRoom: the disk is full.
    """

    @wraps(method)
    def whole(self: Box, /, *args: Given.args, **kwargs: Given.kwargs) -> Result:
        return self.in_transaction(lambda: method(self, *args, **kwargs), self.without_reserve())

    return whole


class OutboxFile:
    """An SQLite file that survives a power cut at any instant, and a full disk."""

    def __init__(
        self, path: Path, *, power_safe: bool = True, limit_bytes: int | None = None, reserve_bytes: int = 0
    ) -> None:
        """Open it, make it, or bring it up to date. `limit_bytes`: above this it does not grow.

        Raises:
            CannotStart: the file cannot be opened, is no database, or is of a later version.
        """
        self._reserve = Reserve(path.with_suffix(".reserve"), reserve_bytes)
        self._ran_full = False
        self._refused_readings = 0  # since we run: on a full disk there is no place to write it down
        while True:
            try:
                self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S)
            except sqlite3.Error as problem:
                raise CannotStart(f"{path}: {problem}") from problem
            try:
                self._set_up(path, power_safe, limit_bytes)
                break
            except sqlite3.Error as problem:
                self._db.close()
                # Even its log needs a little room.
                if not (_no_room(problem, opening=True) and self._reserve.give()):
                    raise CannotStart(f"{path}: {problem}") from problem
            except CannotStart:
                self._db.close()
                raise
        self._reserve.refill()

    def _set_up(self, path: Path, power_safe: bool, limit_bytes: int | None) -> None:
        for pragma in (
            "journal_mode = wal",
            f"synchronous = {'full' if power_safe else 'off'}",
            f"wal_autocheckpoint = {_WAL_PAGES}",
            f"journal_size_limit = {_WAL_KEPT_BYTES}",
            "secure_delete = fast",  # to overwrite what was delivered would double what the disk must write
            "temp_store = memory",
        ):
            self._db.execute(f"pragma {pragma}")
        self._page_bytes = self._pragma("page_size")
        if limit_bytes is not None:
            self._db.execute(f"pragma max_page_count = {max(limit_bytes // self._page_bytes, 1)}")
        self._bring_up_to_date(path)

    def _bring_up_to_date(self, path: Path) -> None:
        found = self._pragma("user_version")
        if found > VERSION:
            raise CannotStart(f"{path}: made by a later version of the hub")
        if found < VERSION:
            with self._transaction():
                for statement in STEPS[found]:
                    self._db.execute(statement)
                self._db.execute(f"pragma user_version = {VERSION}")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # ------------------------------------------------------------ transactions

    def in_transaction(self, work: Callable[[], Result], room: Iterator[None]) -> Result:
        """Do `work` in a transaction, and again each time that `room` has been made.

        Raises:
            NoRoom: no more room can be made.
        """
        for _ in room:
            try:
                with self._transaction():
                    return work()
            except sqlite3.Error as problem:
                if not _no_room(problem):
                    raise
        raise NoRoom("the disk is full")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise

    # ------------------------------------------------------------ room

    def without_reserve(self) -> Iterator[None]:
        """Try as it is; then with the log written into the file, after which it is used again from its beginning."""
        yield
        self._ran_full = True
        if self._checkpoint():
            yield

    def making_room(self) -> Iterator[None]:
        """Try as it is; then make room, least harm first.

        On a full disk a commit needs no room while the log can be used again and the file has free pages. So the
        reserve goes into writing out the log, which would else grow; and then readings go, so that their pages are
        free. Where that is not enough, all of them go, and the rest of the reserve.
        """
        yield
        self._ran_full = True
        gave = False
        while not self._checkpoint() and self._reserve.give():
            gave = True
        if gave:
            self._thin()
        yield
        while self._thin() or self._reserve.give():
            self._checkpoint()
            yield

    def _checkpoint(self) -> bool:
        """Write the log into the file, as far as nobody reads it. False: there was no room for that."""
        try:
            self._db.execute("pragma wal_checkpoint(passive)").fetchall()
        except sqlite3.OperationalError as problem:
            if not _no_room(problem):
                raise
            return False
        return True

    def _thin(self) -> bool:
        """The oldest eighth of the readings goes. False: that was not possible, or there are none.

        The newest one stays: were the table empty, their numbers would begin anew, and a pack that is under way would
        be taken for new readings.
        """
        try:
            with self._transaction():
                first, last = self._db.execute(
                    "select (select min(n) from readings), (select max(n) from readings)"
                ).fetchone()
                if first is None or first == last:
                    return False
                return self.delete_readings(max(_THIN_AT_LEAST, (last - first) // 8)) > 0
        except sqlite3.Error as problem:
            if not _no_room(problem):
                raise
            return False

    def delete_readings(self, count: int) -> int:
        """Inside a transaction: the oldest `count` readings go, but for the newest one; they are lost, and counted."""
        gone = self._db.execute(
            "delete from readings where n < (select min(n) from readings) + ? and n < (select max(n) from readings)",
            (count,),
        ).rowcount
        self.count_lost(gone)
        return gone

    def count_lost(self, readings: int) -> None:
        """Inside a transaction: so many readings were lost."""
        if readings:
            self._set_number("readings_lost", self._number("readings_lost", 0) + readings)

    def used_bytes(self) -> int:
        """What the outbox holds; the file may be larger, and reuses what is free in it before it grows."""
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._page_bytes

    def short_of_room(self) -> bool:
        """Whether there was no room since this was last asked, or the reserve is not whole. Refills it if it can."""
        ran_full, self._ran_full = self._ran_full, False
        return not self._reserve.refill() or ran_full

    # ------------------------------------------------------------ small values

    def _pragma(self, name: str) -> int:
        (value,) = self._db.execute(f"pragma {name}").fetchone()
        return int(value)

    def _number(self, name: str, default: float) -> float:
        row = self._db.execute("select value from numbers where name = ?", (name,)).fetchone()
        return float(row[0]) if row else default

    def _set_number(self, name: str, value: float) -> None:
        self._db.execute("insert or replace into numbers values (?, ?)", (name, value))


def _no_room(problem: sqlite3.Error, *, opening: bool = False) -> bool:
    code = getattr(problem, "sqlite_errorcode", None)
    return code in _FULL or (opening and code == sqlite3.SQLITE_CANTOPEN)
