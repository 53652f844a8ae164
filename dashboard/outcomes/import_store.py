"""Every SQL statement of an import: the staged lines, and taking the good ones in, all of them or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from dashboard.outcomes import store
from dashboard.outcomes.csv_import import File, Line, mark_overlaps
from dashboard.outcomes.domain import Episode, as_entered, read_episode
from dashboard.outcomes.store import Record, records
from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.ids import uuid7
from telecare.register.councils import people_meant

UNKNOWN: Final = "No person of this council has this reference or id"


async def stage(
    conn: Connection, file: File, council_id: UUID, name: str, digest: bytes, by: str, now: datetime, until: datetime
) -> UUID:
    """Keep a file's lines for the preview, each good, wrong or recorded already. Nothing becomes an episode."""
    number = uuid7()
    await conn.execute("delete from episode_import_lines l using episode_imports i "
                       "where i.id = l.import_id and i.lines_until <= %s", (now,))  # fmt: skip
    states = await _judge(conn, file.lines, council_id)
    await conn.execute(
        """insert into episode_imports (id, council_id, file_name, file_hash, notes, header, delimiter, uploaded_at,
                                        uploaded_by, lines_until)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (number, council_id, name, digest, file.notes, file.header, file.delimiter, now, by, until),
    )
    async with conn.cursor() as cursor:
        await cursor.executemany(
            """insert into episode_import_lines (import_id, line, state, cells, person_id, episode, problems)
               values (%s, %s, %s, %s, %s, %s, %s)""",
            [
                (number, line.number, state, line.cells, person if line.episode else None,
                 Jsonb(as_entered(line.episode)) if line.episode else None, Jsonb(line.problems))
                for line, (state, person) in zip(file.lines, states, strict=True)
            ],
        )  # fmt: skip
    return number


async def _judge(conn: Connection, lines: Sequence[Line], council_id: UUID) -> list[tuple[str, UUID | None]]:
    """For each line its state and its person; problems that only the database knows are added to the line."""
    meant = await people_meant(conn, council_id, [line.person for line in lines if line.person])
    owners = [meant.get(line.person) for line in lines]
    for line, owner in zip(lines, owners, strict=True):
        if line.person and owner is None:
            line.problems.insert(0, ("person", f"{UNKNOWN}: “{line.person[:40]}”"))
            line.episode = None
    mark_overlaps(lines, owners)
    kept: dict[UUID, list[store.Span]] = {}
    for span in await store.spans(conn, list(set(meant.values()))):
        kept.setdefault(span.person_id, []).append(span)
    return [
        ("wrong" if owner is None else _state(line, kept.get(owner, [])), owner)
        for line, owner in zip(lines, owners, strict=True)
    ]


def _state(line: Line, kept: Sequence[store.Span]) -> str:
    if line.episode is None:
        return "wrong"
    found = _clash(line.episode, kept)
    if found is None:
        return "good"
    if found.started_on == line.episode.started_on:
        return "already"
    line.problems.append(("started_on", store.overlap_words(found)))
    line.episode = None
    return "wrong"


def _clash(one: Episode, kept: Sequence[store.Span]) -> store.Span | None:
    same = next((span for span in kept if span.started_on == one.started_on), None)
    far = date.max
    return same or next(
        (s for s in kept if one.started_on <= (s.ended_on or far) and s.started_on <= (one.ended_on or far)), None
    )


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was uploaded, with how many of its lines are what."""

    id: UUID
    council_id: UUID
    council: str
    timezone: str
    file_name: str
    notes: list[str]
    header: list[str]
    delimiter: str
    uploaded_by: str
    lines_until: datetime
    imported_at: datetime | None
    imported_by: str | None
    good: int
    wrong: int
    already: int
    imported: int


UPLOAD: Final = """
    select i.id, i.council_id, c.name, c.timezone, i.file_name, i.notes, i.header, i.delimiter, i.uploaded_by,
           i.lines_until, i.imported_at, i.imported_by,
           count(*) filter (where l.state = 'good'), count(*) filter (where l.state = 'wrong'),
           count(*) filter (where l.state = 'already'), count(*) filter (where l.state = 'imported')
      from episode_imports i join councils c on c.id = i.council_id
      left join episode_import_lines l on l.import_id = i.id
     where i.id = %(id)s and i.lines_until > %(now)s and (%(only)s::uuid is null or i.council_id = %(only)s)
     group by i.id, c.id
"""


async def upload(conn: Connection, import_id: UUID, only: UUID | None, now: datetime) -> Upload:
    """An upload whose lines are still kept.

    Raises:
        NotFound: there is none, or it is another council's.
    """
    row = await (await conn.execute(UPLOAD, {"id": import_id, "only": only, "now": now})).fetchone()
    if row is None:
        raise NotFound("There is no such import, or its time is over: upload the file again")
    return Upload(*row)


async def wrong_lines(conn: Connection, import_id: UUID, limit: int | None = None) -> list[Record]:
    """An upload's wrong lines with their problems, in the file's order."""
    return await records(
        conn,
        """select line, cells, problems from episode_import_lines
            where import_id = %(id)s and state = 'wrong' order by line limit %(limit)s""",
        {"id": import_id, "limit": limit},
    )


async def take_in(conn: Connection, import_id: UUID, only: UUID | None, by: str, now: datetime, today: date) -> bool:
    """Make episodes of an upload's good lines, in one transaction; False where that was done before.

    A line that cannot be taken in any more, because somebody has entered an episode meanwhile, becomes a wrong one, or
    one that is recorded already.

    Raises:
        NotFound: there is no such upload, or its lines are gone.
    """
    async with conn.transaction():
        found = await upload(conn, import_id, only, now)
        row = await (
            await conn.execute(
                "select imported_at, file_hash from episode_imports where id = %s for update", (import_id,)
            )
        ).fetchone()
        assert row is not None
        if row[0] is not None:
            return False
        lines = await records(
            conn,
            """select line, person_id, episode from episode_import_lines
                where import_id = %(id)s and state = 'good' order by line""",
            {"id": import_id},
        )
        episodes = {line["line"]: _read(line, today) for line in lines}
        people = {line["line"]: line["person_id"] for line in lines}
        taken = await _insert(conn, found.council_id, row[1], episodes, people, by, now)
        await _mark(conn, import_id, taken, episodes, people)
        await conn.execute(
            "update episode_imports set imported_at = %s, imported_by = %s where id = %s", (now, by, import_id)
        )
    return True


def _read(line: Record, today: date) -> Episode:
    reading = read_episode(line["episode"], today)
    if reading.episode is None:  # it was good when it was staged
        raise Refused(f"line {line['line']} cannot be read any more: {reading.problems}")
    return reading.episode


INSERT: Final = """
    insert into episodes (id, person_id, council_id, reason, started_on, ended_on, end_reason, sequel, day91,
                          day91_asked_on, day91_asked_by, entered_at, entered_by, source_hash, source_line)
    select n.id, n.person, %(council)s, n.reason, n.started_on, n.ended_on, n.end_reason, n.sequel, n.day91,
           n.day91_asked_on, n.day91_asked_by, %(now)s, %(by)s, %(hash)s, n.line
      from unnest(%(ids)s::uuid[], %(people)s::uuid[], %(reason)s::text[], %(started_on)s::date[], %(ended_on)s::date[],
                  %(end_reason)s::text[], %(sequel)s::text[], %(day91)s::text[], %(day91_asked_on)s::date[],
                  %(day91_asked_by)s::text[], %(lines)s::integer[])
           as n (id, person, reason, started_on, ended_on, end_reason, sequel, day91, day91_asked_on, day91_asked_by,
                 line)
     order by n.line
    on conflict do nothing
    returning id, source_line
"""


async def _insert(
    conn: Connection, council_id: UUID, digest: bytes, episodes: dict[int, Episode], people: dict[int, UUID], by: str,
    now: datetime,
) -> dict[int, UUID]:  # fmt: skip
    """Insert what can be; the episodes' ids by line."""
    columns = [store.columns(one) for one in episodes.values()]
    values: dict[str, Any] = {name: [one[name] for one in columns] for name in (columns[0] if columns else {})}
    if not columns:
        return {}
    values |= {
        "ids": [uuid7() for _ in columns], "people": [people[line] for line in episodes], "lines": list(episodes),
        "council": council_id, "now": now, "by": by, "hash": digest,
    }  # fmt: skip
    rows = await (await conn.execute(INSERT, values)).fetchall()
    taken: dict[int, UUID] = {line: number for number, line in rows}
    async with conn.cursor() as cursor:
        await cursor.executemany(
            "insert into episode_goals (episode_id, place, words, reached) values (%s, %s, %s, %s)",
            [
                (number, place, goal.words, goal.reached)
                for line, number in taken.items()
                for place, goal in enumerate(episodes[line].goals, start=1)
            ],
        )
        await cursor.executemany(
            "insert into episode_measures (episode_id, measure, moment, value) values (%s, %s, %s, %s)",
            [(number, *measure) for line, number in taken.items() for measure in episodes[line].measures],
        )
        await cursor.executemany(
            "insert into episode_log (episode_id, at, who, what, episode) values (%s, %s, %s, 'imported', %s)",
            [(number, now, by, Jsonb(as_entered(episodes[line]))) for line, number in taken.items()],
        )
    return taken


async def _mark(
    conn: Connection, import_id: UUID, taken: dict[int, UUID], episodes: dict[int, Episode], people: dict[int, UUID]
) -> None:
    await conn.execute(
        "update episode_import_lines set state = 'imported' where import_id = %s and line = any(%s)",
        (import_id, list(taken)),
    )
    left = [line for line in episodes if line not in taken]
    kept: dict[UUID, list[store.Span]] = {}
    for span in await store.spans(conn, [people[line] for line in left]):
        kept.setdefault(span.person_id, []).append(span)
    for line in left:
        clash = _clash(episodes[line], kept.get(people[line], []))
        same = clash is not None and clash.started_on == episodes[line].started_on
        words = store.overlap_words(clash) if clash is not None else "This line of the file was imported before"
        await conn.execute(
            "update episode_import_lines set state = %s, problems = %s where import_id = %s and line = %s",
            ("already" if same or clash is None else "wrong", Jsonb([["started_on", words]]), import_id, line),
        )
