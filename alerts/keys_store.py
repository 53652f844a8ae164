"""Keys of homes that the service holds: where each hangs, who took it to which visit, who saw it, and when it is back.

A sign-out bears two names, as at Camden Careline; the database holds that, that a key is out once, and that it goes to
its own home.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.errors import CheckViolation, UniqueViolation

from alerts import life_store, store
from alerts.actions import OVER
from alerts.errors import Conflict, Incomplete
from alerts.responders_store import note, rows
from alerts.visit_actions import write_step
from alerts.visiting import INSIDE, ON_THE_WAY
from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.ids import uuid7
from telecare.settings import Settings

TAG_LIMIT: Final = 40  # characters
WORDS_LIMIT: Final = 200
_UNDER_WAY: Final = [state.value for state in INSIDE | ON_THE_WAY]

KEYS: Final = """
    select k.id, k.home_id, k.tag, k.kept, h.address, o.id as sign_out, o.taken_by, o.witness, o.out_at, o.due_at,
           o.due_at <= %(now)s as overdue, o.visit_id, v.alert_id
      from home_keys k
      join homes h on h.id = k.home_id
      left join key_sign_outs o on o.key_id = k.id and o.back_at is null
      left join visits v on v.id = o.visit_id
     where k.given_back_at is null
"""


async def of_home(conn: Connection, home_id: UUID, now: datetime) -> list[dict[str, Any]]:
    """A home's keys, each with who has it now."""
    return await rows(conn, KEYS + " and k.home_id = %(home)s order by k.tag", home=home_id, now=now)


async def out(conn: Connection, now: datetime) -> list[dict[str, Any]]:
    """Every key that is out, the one that has been due longest first."""
    return await rows(conn, KEYS + " and o.id is not null order by o.due_at, k.tag", now=now)


async def add(conn: Connection, home_id: UUID, tag: str, kept: str, by: str, now: datetime) -> UUID:
    """The service holds this key of a home; its id.

    Raises:
        Refused: it has no tag or place, or another key has this tag.
    """
    tag, kept = tag.strip(), kept.strip()
    if not 0 < len(tag) <= TAG_LIMIT or not 0 < len(kept) <= WORDS_LIMIT or "\0" in tag + kept:
        raise Refused(
            f"Enter what is written on the key (at most {TAG_LIMIT} characters), and where it hangs"
            f" (at most {WORDS_LIMIT})"
        )
    key = uuid7()
    try:
        async with conn.transaction():
            await conn.execute(
                "insert into home_keys (id, home_id, tag, kept) values (%s, %s, %s, %s)", (key, home_id, tag, kept)
            )
    except UniqueViolation as problem:
        raise Refused("Another key has this number: enter a number of its own") from problem
    await note(conn, tag, "key-held", {"kept": kept, "home": str(home_id)}, by, now)
    return key


async def give_back(conn: Connection, home_id: UUID, key: UUID, by: str, now: datetime) -> None:
    """The service holds it no more.

    Raises:
        NotFound: there is no such key of this home.
        Refused: it is out.
    """
    try:
        async with conn.transaction():
            found = await rows(
                conn,
                """update home_keys set given_back_at = %(now)s
                    where id = %(key)s and home_id = %(home)s and given_back_at is null returning tag""",
                now=now,
                key=key,
                home=home_id,
            )
    except CheckViolation as problem:
        raise Refused("This key is out: write down first that it is back") from problem
    if not found:
        raise NotFound("no such key of this home")
    await note(conn, found[0]["tag"], "key-given-back", {"home": str(home_id)}, by, now)


async def sign_out(
    conn: Connection, settings: Settings, alert_id: int, visit_id: UUID, key: UUID, taken_by: str, witness: str,
    by: str, now: datetime,
) -> None:  # fmt: skip
    """Somebody takes a key to a visit of an open alert, and somebody else sees it.

    Raises:
        NotFound: there is no such visit of this alert, or no such key of its home.
        Conflict: the visit is over, or the key is out.
        Incomplete: there are not two names.
    """
    taken_by, witness = taken_by.strip(), witness.strip()
    problems = [
        f"{name}: {words} (at most {WORDS_LIMIT} characters)"
        for name, value, words in (("taken_by", taken_by, "say who takes the key"),
                                   ("witness", witness, "say who saw it"))
        if not 0 < len(value) <= WORDS_LIMIT or "\0" in value
    ]  # fmt: skip
    if not problems and taken_by.lower() == witness.lower():
        problems = ["witness: two people: who saw it is somebody else than who takes it"]
    if problems:
        raise Incomplete(problems)
    async with conn.transaction():
        tag = await _may_go_out(conn, alert_id, visit_id, key)
        try:
            async with conn.transaction():
                await conn.execute(
                    """insert into key_sign_outs (id, key_id, visit_id, taken_by, witness, out_at, due_at)
                       values (%s, %s, %s, %s, %s, %s, %s)""",
                    (uuid7(), key, visit_id, taken_by, witness, now, now + timedelta(seconds=settings.key_back_s)),
                )
        except UniqueViolation as problem:
            found = await rows(
                conn, "select taken_by from key_sign_outs where key_id = %(key)s and back_at is null", key=key
            )
            who = found[0]["taken_by"] if found else "somebody"
            raise Conflict(f"{who} has key {tag}", claimed_by=who, state="out") from problem
        detail = {"key": tag, "text": f"Key {tag} signed out to {taken_by}; {witness} saw it"}
        await _write(conn, alert_id, visit_id, "key-out", detail, by, now)


async def _may_go_out(conn: Connection, alert_id: int, visit_id: UUID, key: UUID) -> str:
    """The key's tag, where it may be taken to this visit."""
    await life_store.lock(conn, alert_id)
    visit = await rows(
        conn,
        """select v.state, a.home_id, a.claimed_by from visits v join alerts a on a.id = v.alert_id
            where v.id = %(visit)s and v.alert_id = %(alert)s""",
        visit=visit_id,
        alert=alert_id,
    )
    if not visit:
        raise NotFound("no such visit of this alert")
    if visit[0]["state"] not in _UNDER_WAY:
        raise Conflict("this visit is over", claimed_by=visit[0]["claimed_by"], state=visit[0]["state"])
    found = await rows(
        conn,
        "select tag from home_keys where id = %(key)s and home_id = %(home)s and given_back_at is null for update",
        key=key,
        home=visit[0]["home_id"],
    )
    if not found:
        raise NotFound("no such key of this home")
    return str(found[0]["tag"])


async def back_in(
    conn: Connection, key: UUID, witness: str, by: str, now: datetime, at: datetime | None = None
) -> None:
    """A key hangs in its place again, now or since then, and who saw it. Also when the alert is closed.

    Raises:
        NotFound: there is no such key.
        Conflict: it is not out.
        Incomplete: nobody saw it, or the time is none at which it was out.
    """
    witness = witness.strip()
    if not 0 < len(witness) <= WORDS_LIMIT or "\0" in witness:
        raise Incomplete([f"witness: say who saw it hung up (at most {WORDS_LIMIT} characters)"])
    async with conn.transaction():
        before = await rows(conn, KEYS + " and k.id = %(key)s", key=key, now=now)
        if not before:
            raise NotFound("no such key")
        await life_store.lock(conn, before[0]["alert_id"] or 0)  # before the key, as everywhere
        (one,) = await rows(conn, KEYS + " and k.id = %(key)s for update of k", key=key, now=now)
        if one["sign_out"] is None:
            raise Conflict(f"key {one['tag']} is not out", claimed_by=None, state="in")
        if at is not None and not one["out_at"] <= at <= now:
            raise Incomplete(["at: a time between when it was taken and now"])
        await conn.execute(
            "update key_sign_outs set back_at = %s, back_witness = %s where id = %s",
            (at or now, witness, one["sign_out"]),
        )
        detail = {"key": one["tag"], "text": f"Key {one['tag']} is back; {witness} saw it"}
        await _write(conn, one["alert_id"], one["visit_id"], "key-back", detail, by, now)


async def out_since(conn: Connection, key: UUID) -> tuple[datetime, str]:
    """Since when a key is out, and its council's time zone.

    Raises:
        NotFound: there is no such key.
        Conflict: it is not out.
    """
    found = await rows(
        conn,
        """select k.tag, o.out_at, c.timezone from home_keys k join homes h on h.id = k.home_id
             join councils c on c.id = h.council_id
             left join key_sign_outs o on o.key_id = k.id and o.back_at is null
            where k.id = %(key)s""",
        key=key,
    )
    if not found:
        raise NotFound("no such key")
    if found[0]["out_at"] is None:
        raise Conflict(f"key {found[0]['tag']} is not out", claimed_by=None, state="in")
    return found[0]["out_at"], found[0]["timezone"]


async def _write(
    conn: Connection, alert_id: int, visit_id: UUID, what: str, detail: dict[str, Any], by: str, now: datetime
) -> None:
    """Into the visit's own steps, and into the alert's log while it is open."""
    await write_step(conn, visit_id, by, what, detail, now)
    found = await store.owner_and_state(conn, alert_id)
    if found is None or found[1] in OVER:
        return
    await store.log(conn, alert_id, now, by, "visit", detail | {"visit": str(visit_id)})
    await store.publish_change(conn, alert_id, now)
