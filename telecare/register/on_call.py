"""Who is on call, and when: what administrators and supervisors change. Every change is written down.

Who is on call now is read in telecare/register/on_call_now.py.
"""

import json
import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.ids import uuid7
from telecare.phones import REGION, e164
from telecare.register.councils import councils
from telecare.register.rota import note_way
from telecare.rota import DUTY_WORDS, Channel, Duty, Window, window_problem

WORDS_LIMIT: Final = 200  # characters of a name, an address
PEOPLE_LIMIT: Final = 200  # on call at one time, for all councils
WINDOWS_LIMIT: Final = 30  # of one of them
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOnCall:
    """Somebody who is to be on call."""

    duty: Duty
    name: str
    phone: str  # as people write it; kept as E.164
    email: str = ""
    council_id: UUID | None = None  # None: for every council

    def problems(self, region: str = REGION) -> dict[str, str]:
        """What is wrong with it, by field, in words; empty when it may be kept."""
        found = {}
        for name in ("name", "phone", "email"):
            if len(getattr(self, name)) > WORDS_LIMIT or "\0" in getattr(self, name):
                found[name] = f"At most {WORDS_LIMIT} characters"
        if not self.name.strip():
            found["name"] = "Enter a name"
        try:
            e164(self.phone, region)
        except ValueError as problem:
            found["phone"] = str(problem)
        if self.email and not _EMAIL.fullmatch(self.email):
            found["email"] = "Enter an e-mail address, like name@example.org"
        return found


def _checked(new: NewOnCall, region: str) -> NewOnCall:
    if problems := new.problems(region):
        raise Refused("; ".join(f"{name}: {words}" for name, words in problems.items()))
    return replace(new, name=new.name.strip(), phone=e164(new.phone, region))


async def add(conn: Connection, new: NewOnCall, who: str, now: datetime, region: str = REGION) -> UUID:
    """Put somebody on call.

    Raises:
        NotFound: there is no such council.
        Refused: something is wrong with it, they have this duty already, or there are too many.
    """
    values = asdict(_checked(new, region)) | {"id": uuid7()}
    async with conn.transaction():
        await _room_for(conn, values)
        await conn.execute(
            """insert into on_call_people (id, council_id, duty, name, phone, email)
               values (%(id)s, %(council_id)s, %(duty)s, %(name)s, %(phone)s, %(email)s)""",
            values,
        )
        await _note(conn, values["id"], who, now, "added", _words(values))
    on_call_id: UUID = values["id"]
    return on_call_id


async def change(
    conn: Connection, on_call_id: UUID, new: NewOnCall, who: str, now: datetime, region: str = REGION
) -> None:
    """Make somebody on call what is given; what they were before stays in the log.

    Raises:
        NotFound: nobody of this number is on call, or there is no such council.
        Refused: something is wrong with it, or somebody with this number has this duty already.
    """
    values = asdict(_checked(new, region)) | {"id": on_call_id}
    async with conn.transaction():
        before = await locked(conn, on_call_id)
        changed = {name: value for name, value in values.items() if before[name] != value}
        if not changed:
            return
        await _room_for(conn, values)
        await conn.execute(
            """update on_call_people set council_id = %(council_id)s, duty = %(duty)s, name = %(name)s,
                      phone = %(phone)s, email = %(email)s where id = %(id)s""",
            values,
        )
        text = ", ".join(name.removesuffix("_id").replace("_", " ") for name in changed)
        detail = {"text": text, "before": {name: before[name] for name in changed}, "after": changed}
        await _note(conn, on_call_id, who, now, "changed", detail)


async def end(conn: Connection, on_call_id: UUID, who: str, now: datetime) -> None:
    """Ring somebody no more; whoever is on call no more already stays so.

    Raises:
        NotFound: nobody of this number ever was on call.
    """
    async with conn.transaction():
        before = await _locked(conn, on_call_id)
        if before["ended_at"] is None:
            await conn.execute("update on_call_people set ended_at = %s where id = %s", (now, on_call_id))
            await _note(conn, on_call_id, who, now, "ended", _words(before))


async def add_demo(conn: Connection, now: datetime) -> None:
    """Somebody for each duty of the demo, where nobody ever was on call. Their numbers are Ofcom's for drama."""
    if await (await conn.execute("select 1 from on_call_people limit 1")).fetchone():
        return
    for duty, phone in ((Duty.SUPERVISOR, "+447700900801"), (Duty.SECOND_SITE, "+441632960801")):
        await add(conn, NewOnCall(duty=duty, name=f"Demo {DUTY_WORDS[duty]}", phone=phone), "system", now)


async def add_window(conn: Connection, on_call_id: UUID, window: Window, who: str, now: datetime) -> None:
    """Let somebody be on call each week at these times, and no longer at any time.

    Raises:
        NotFound: nobody of this number is on call.
        Refused: the window is empty, or there are too many.
    """
    if problem := window_problem(window):
        raise Refused(problem)
    async with conn.transaction():
        await locked(conn, on_call_id)
        cursor = await conn.execute("select count(*) from on_call_windows where on_call_id = %s", (on_call_id,))
        row = await cursor.fetchone()
        if row is not None and row[0] >= WINDOWS_LIMIT:
            raise Refused(f"At most {WINDOWS_LIMIT} times for each: take one away first")
        await conn.execute(
            "insert into on_call_windows (id, on_call_id, days, from_min, until_min) values (%s, %s, %s, %s, %s)",
            (uuid7(), on_call_id, sorted(window.days), window.from_min, window.until_min),
        )
        await _note(conn, on_call_id, who, now, "window-added", {"text": str(window)})


async def remove_window(conn: Connection, on_call_id: UUID, window_id: UUID, who: str, now: datetime) -> None:
    """Take a window away; one that is gone already is gone.

    Raises:
        NotFound: nobody of this number is on call.
    """
    async with conn.transaction():
        await locked(conn, on_call_id)
        cursor = await conn.execute(
            "delete from on_call_windows where id = %s and on_call_id = %s returning days, from_min, until_min",
            (window_id, on_call_id),
        )
        row = await cursor.fetchone()
        if row is not None:
            detail = {"text": str(Window(frozenset(row[0]), row[1], row[2]))}
            await _note(conn, on_call_id, who, now, "window-removed", detail)


async def note_test(
    conn: Connection, on_call_id: UUID, channel: Channel, arrived: bool, who: str, now: datetime
) -> None:
    """Write down that a test arrived, or did not, as the one on call says. Messages of the service say so themselves.

    Raises:
        NotFound: nobody of this number is on call.
        Refused: they have no such way.
    """
    async with conn.transaction():
        person = await locked(conn, on_call_id)
        detail = await note_way(conn, "on_call", person, channel, arrived, now)
        await _note(conn, on_call_id, who, now, "tested", detail)


async def locked(conn: Connection, on_call_id: UUID) -> dict[str, Any]:
    """Somebody who is on call, whom nobody else changes until the transaction ends.

    Raises:
        NotFound: nobody of this number is on call.
    """
    row = await _locked(conn, on_call_id)
    if row["ended_at"] is not None:
        raise NotFound("nobody of this number is on call")
    return row


async def _locked(conn: Connection, on_call_id: UUID) -> dict[str, Any]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("select * from on_call_people where id = %s for no key update", (on_call_id,))
        row = await cursor.fetchone()
    if row is None:
        raise NotFound("nobody of this number is on call")
    return row


async def _room_for(conn: Connection, values: dict[str, Any]) -> None:
    """One at a time: the same number twice for one duty would be rung twice."""
    await conn.execute("lock table on_call_people in share row exclusive mode")
    council = values["council_id"]
    if council is not None and not await councils(conn, council):
        raise NotFound("no such council")
    cursor = await conn.execute(
        """select count(*), bool_or(phone = %(phone)s and duty = %(duty)s
                                   and council_id is not distinct from %(council_id)s)
             from on_call_people where ended_at is null and id <> %(id)s""",
        values,
    )
    row = await cursor.fetchone()
    if row is not None and row[1]:
        raise Refused("phone: this number is on call for that already")
    if row is not None and row[0] >= PEOPLE_LIMIT:
        raise Refused(f"name: at most {PEOPLE_LIMIT} people are on call: take one away first")


def _words(values: dict[str, Any]) -> dict[str, Any]:
    plain = {name: values[name] for name in ("duty", "name", "phone", "email", "council_id")}
    return plain | {"text": DUTY_WORDS[Duty(values["duty"])]}


async def _note(conn: Connection, on_call_id: UUID, who: str, now: datetime, what: str, detail: dict[str, Any]) -> None:
    await conn.execute(
        "insert into on_call_log (on_call_id, at, who, what, detail) values (%s, %s, %s, %s, %s)",
        (on_call_id, now, who, what, Jsonb(detail, dumps=partial(json.dumps, default=str))),
    )
