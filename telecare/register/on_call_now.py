"""Whom the service rings when nobody takes an alert: those who are on call, as the register has them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from telecare.db import Connection
from telecare.register.councils import Council, councils
from telecare.rota import DUTY_WORDS, Channel, Duty, Way, Window, ways_from


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCall:
    """Somebody who is on call, with their times and how the last tests of the ways to them went."""

    id: UUID
    duty: Duty
    name: str
    phone: str  # E.164
    email: str
    council_id: UUID | None  # None: for every council
    timezone: str  # whose clock their times are by
    windows: tuple[tuple[UUID, Window], ...] = ()  # none: at any time
    ways: tuple[Way, ...] = ()

    def answers_for(self, council: UUID | None) -> bool:
        """Whether they are on call for a council; None stands for the whole service, for which everybody is."""
        return council is None or self.council_id is None or self.council_id == council

    @property
    def tested(self) -> bool:
        """Whether a test has reached their number, and none has failed since."""
        return any(way.works for way in self.ways if way.channel is not Channel.EMAIL)


_PEOPLE: Final = """
    select p.id, p.duty, p.name, p.phone, p.email, p.council_id, coalesce(k.timezone, 'Europe/London') as timezone,
           array(select row_to_json(w) from on_call_windows w where w.on_call_id = p.id order by w.from_min, w.id)
               as windows,
           array(select row_to_json(y) from on_call_ways y where y.on_call_id = p.id) as ways
      from on_call_people p left join councils k on k.id = p.council_id
     where p.ended_at is null order by p.duty <> 'supervisor', p.name, p.id
"""


async def people(conn: Connection) -> list[OnCall]:
    """Everybody who is on call, supervisors first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_PEOPLE)
        return [_on_call(row) for row in await cursor.fetchall()]


def _on_call(row: dict[str, Any]) -> OnCall:
    windows = tuple(
        (UUID(one["id"]), Window(frozenset(one["days"]), one["from_min"], one["until_min"])) for one in row["windows"]
    )
    tests = (
        Way(Channel(one["channel"]), one["address"], _at(one["tested_at"]), _at(one["failed_at"]))
        for one in row["ways"]
    )
    ways = ways_from(row["phone"], row["email"], tests)
    return OnCall(**row | {"duty": Duty(row["duty"]), "windows": windows, "ways": ways})


def _at(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


async def changes(conn: Connection, limit: int = 30) -> list[dict[str, Any]]:
    """Who changed what of it and when, newest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select l.at, l.who, l.what, l.detail, p.name
                 from on_call_log l join on_call_people p on p.id = l.on_call_id order by l.id desc limit %s""",
            (limit,),
        )
        return await cursor.fetchall()


def missing(found: Iterable[OnCall], of: Iterable[Council]) -> list[str]:
    """Which duty has nobody, or nobody whose number is known to work, in sentences. Pure."""
    everybody, sentences = list(found), []
    for council in of:
        for duty, words in DUTY_WORDS.items():
            there = [one for one in everybody if one.duty is duty and one.answers_for(council.id)]
            if not there:
                sentences.append(f"{council.name}: nobody is on call as {words}.")
            elif not any(one.tested for one in there):
                sentences.append(
                    f"{council.name}: no number of those on call as {words} has been tested, or it failed."
                )
    return sentences


async def missing_now(conn: Connection) -> list[str]:
    """The same of everybody who is on call, for every council."""
    return missing(await people(conn), await councils(conn))
