"""Every SQL statement about episodes. `only` is the one council that may be seen, or None for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from psycopg import errors
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from dashboard.outcomes.domain import Episode, Goal, as_entered, said
from dashboard.outcomes.vocabulary import Day91, EndReason, Reached, Reason, Sequel
from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.ids import uuid7

Record = dict[str, Any]


async def records(conn: Connection, sql: str, values: Mapping[str, Any]) -> list[Record]:
    """What a query finds."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql.encode(), values)
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class Kept:
    """An episode as it is kept."""

    id: UUID
    person_id: UUID
    person: str
    reference: str
    council_id: UUID
    council: str
    version: int
    episode: Episode


_SELECT: Final = """
    select e.id, e.person_id, p.name as person, coalesce(r.reference, '') as reference, e.council_id, c.name as council,
           e.version, e.reason, e.started_on, e.ended_on, e.end_reason, e.sequel, e.day91, e.day91_asked_on,
           e.day91_asked_by,
           array(select jsonb_build_array(g.words, g.reached) from episode_goals g
                  where g.episode_id = e.id order by g.place) as goals,
           array(select jsonb_build_array(m.measure, m.moment, m.value::text) from episode_measures m
                  where m.episode_id = e.id order by m.measure, m.moment desc) as measures
      from episodes e
      join people p on p.id = e.person_id
      join councils c on c.id = e.council_id
      left join person_references r on r.person_id = p.id
     where (%(only)s::uuid is null or e.council_id = %(only)s)
"""


def _kept(row: Record) -> Kept:
    episode = Episode(
        reason=Reason(row["reason"]),
        started_on=row["started_on"],
        ended_on=row["ended_on"],
        end_reason=EndReason(row["end_reason"]) if row["end_reason"] else None,
        sequel=Sequel(row["sequel"]) if row["sequel"] else None,
        day91=Day91(row["day91"]) if row["day91"] else None,
        day91_asked_on=row["day91_asked_on"],
        day91_asked_by=row["day91_asked_by"] or "",
        goals=tuple(Goal(words, Reached(reached) if reached else None) for words, reached in row["goals"]),
        measures=tuple((measure, moment, Decimal(value)) for measure, moment, value in row["measures"]),
    )
    names = ("id", "person_id", "person", "reference", "council_id", "council", "version")
    return Kept(**{name: row[name] for name in names}, episode=episode)


async def episode(conn: Connection, episode_id: UUID, only: UUID | None) -> Kept:
    """One episode.

    Raises:
        NotFound: there is none, or it is another council's.
    """
    rows = await records(conn, f"{_SELECT} and e.id = %(id)s", {"only": only, "id": episode_id})
    if not rows:
        raise NotFound("no such episode")
    return _kept(rows[0])


async def episodes_of(conn: Connection, person_id: UUID, only: UUID | None) -> list[Kept]:
    """A person's episodes, newest first."""
    sql = f"{_SELECT} and e.person_id = %(person)s order by e.started_on desc"
    return [_kept(row) for row in await records(conn, sql, {"only": only, "person": person_id})]


FILTERS: Final = {
    "all": "true",
    "running": "e.ended_on is null",
    "ask": "e.day91 is null and e.sequel is distinct from 'died' and e.started_on + 91 <= %(today)s::date",
}


async def episodes(
    conn: Connection, only: UUID | None, council: UUID | None, words: str, which: str, today: date, limit: int | None
) -> list[Kept]:
    """Episodes of people whose name or reference holds these words, newest first.

    `which` is a key of FILTERS: all, those that are running, those whose day 91 has come and nobody has asked.
    """
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    sql = f"""{_SELECT} and {FILTERS[which]} and (%(council)s::uuid is null or e.council_id = %(council)s)
               and (%(words)s = '' or p.name ilike %(pattern)s or r.reference ilike %(pattern)s)
             order by e.started_on desc, e.id limit %(limit)s"""
    values = {"only": only, "council": council, "words": words, "pattern": f"%{escaped}%", "today": today}
    return [_kept(row) for row in await records(conn, sql, values | {"limit": limit})]


async def log_of(conn: Connection, episode_id: UUID) -> list[Record]:
    """Who entered and changed an episode, oldest first."""
    return await records(
        conn,
        """select l.at, coalesce(s.display_name, l.who) as who, l.what from episode_log l
             left join staff s on s.username = l.who where l.episode_id = %(id)s order by l.id""",
        {"id": episode_id},
    )


# ---------------------------------------------------------------- writing


def columns(one: Episode) -> Record:
    """An episode's own columns."""
    return {
        "reason": one.reason.value,
        "started_on": one.started_on,
        "ended_on": one.ended_on,
        "end_reason": one.end_reason,
        "sequel": one.sequel,
        "day91": one.day91,
        "day91_asked_on": one.day91_asked_on,
        "day91_asked_by": one.day91_asked_by or None,
    }


ADD: Final = """
    insert into episodes (id, person_id, council_id, reason, started_on, ended_on, end_reason, sequel, day91,
                          day91_asked_on, day91_asked_by, entered_at, entered_by)
    values (%(id)s, %(person)s, %(council)s, %(reason)s, %(started_on)s, %(ended_on)s, %(end_reason)s, %(sequel)s,
            %(day91)s, %(day91_asked_on)s, %(day91_asked_by)s, %(now)s, %(by)s)
"""


async def add_episode(
    conn: Connection, person_id: UUID, council_id: UUID, one: Episode, by: str, now: datetime
) -> UUID:
    """Keep a new episode; its id.

    Raises:
        Refused: it overlaps another episode of the person.
    """
    number = uuid7()
    values = columns(one) | {"id": number, "person": person_id, "council": council_id, "now": now, "by": by}
    try:
        async with conn.transaction():
            await conn.execute(ADD, values)
            await _write_rest(conn, number, one, by, now, "entered")
    except errors.ExclusionViolation as problem:
        raise Refused(await _overlap_words(conn, person_id, one, None)) from problem
    return number


CHANGE: Final = """
    update episodes set reason = %(reason)s, started_on = %(started_on)s, ended_on = %(ended_on)s,
                        end_reason = %(end_reason)s, sequel = %(sequel)s, day91 = %(day91)s,
                        day91_asked_on = %(day91_asked_on)s, day91_asked_by = %(day91_asked_by)s, version = version + 1
     where id = %(id)s and version = %(version)s
"""


async def change_episode(conn: Connection, kept: Kept, version: int, one: Episode, by: str, now: datetime) -> None:
    """Replace what is kept of an episode.

    Raises:
        Refused: somebody has changed it since `version`, or it now overlaps another of the person.
    """
    try:
        async with conn.transaction():
            cursor = await conn.execute(CHANGE, columns(one) | {"id": kept.id, "version": version})
            if cursor.rowcount == 0:
                raise Refused("Somebody has changed this episode since you opened the page. Open it again")
            await conn.execute("delete from episode_goals where episode_id = %s", (kept.id,))
            await conn.execute("delete from episode_measures where episode_id = %s", (kept.id,))
            await _write_rest(conn, kept.id, one, by, now, "changed")
    except errors.ExclusionViolation as problem:
        raise Refused(await _overlap_words(conn, kept.person_id, one, kept.id)) from problem


async def _write_rest(conn: Connection, number: UUID, one: Episode, by: str, now: datetime, what: str) -> None:
    async with conn.cursor() as cursor:
        await cursor.executemany(
            "insert into episode_goals (episode_id, place, words, reached) values (%s, %s, %s, %s)",
            [(number, place, goal.words, goal.reached) for place, goal in enumerate(one.goals, start=1)],
        )
        await cursor.executemany(
            "insert into episode_measures (episode_id, measure, moment, value) values (%s, %s, %s, %s)",
            [(number, *measure) for measure in one.measures],
        )
    await conn.execute(
        "insert into episode_log (episode_id, at, who, what, episode) values (%s, %s, %s, %s, %s)",
        (number, now, by, what, Jsonb(as_entered(one))),
    )


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when an episode of a person runs."""

    person_id: UUID
    started_on: date
    ended_on: date | None


async def spans(conn: Connection, people: Sequence[UUID], but: UUID | None = None) -> list[Span]:
    """When the episodes of some people run, one of them left out."""
    rows = await (
        await conn.execute(
            """select person_id, started_on, ended_on from episodes
                where person_id = any(%s) and (%s::uuid is null or id <> %s) order by started_on""",
            (list(people), but, but),
        )
    ).fetchall()
    return [Span(*row) for row in rows]


def overlap_words(span: Span) -> str:
    """Why an episode cannot be beside another."""
    until = f"to {said(span.ended_on)}" if span.ended_on else "and has no end yet"
    return f"Overlaps this person's episode from {said(span.started_on)} {until}. A person has one episode at a time"


async def _overlap_words(conn: Connection, person_id: UUID, one: Episode, but: UUID | None) -> str:
    for span in await spans(conn, [person_id], but):
        other = Episode(reason=Reason.OTHER, started_on=span.started_on, ended_on=span.ended_on)
        if one.overlaps(other):
            return overlap_words(span)
    return "Overlaps another episode of this person"  # which has gone meanwhile
