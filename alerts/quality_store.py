"""Every SQL statement of looking back at closed alerts. Each function that changes something is one transaction."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from alerts import knowing
from alerts.errors import Conflict, Incomplete
from alerts.quality import Candidate, Criterion, Mark, Sample, draw, problems, score
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.ids import uuid7

TO_REVIEW_LIMIT: Final = 500

# ---------------------------------------------------------------- the draw

# Alerts of people, tests and cases from before this service left out, of those whose month was not drawn yet.
CANDIDATES: Final = """
    select a.claimed_by as handler, a.id,
           concat_ws(', ', coalesce(k.name, 'No council'), initcap(replace(p.service_type, '-', ' '))) as service,
           exists (select 1 from emergency_calls e where e.alert_id = a.id) as had_999
      from alerts a
      join homes h on h.id = a.home_id
      left join councils k on k.id = h.council_id
      left join people p on p.id = a.person_id
     where a.closed_at >= %(begins)s and a.closed_at < %(ends)s and a.claimed_by is not null and a.priority < 4
       and a.past_case is null and a.case_key not like 'test:%%'
       and not exists (select 1 from quality_draws d where d.handler = a.claimed_by and d.month = %(month)s)
     order by a.claimed_by, a.id
"""


async def undrawn(conn: Connection, month: date, begins: datetime, ends: datetime) -> dict[str, list[Candidate]]:
    """What each handler closed in a month, of those for whom it was not drawn yet."""
    cursor = await conn.execute(CANDIDATES, {"month": month, "begins": begins, "ends": ends})
    found: dict[str, list[Candidate]] = {}
    for handler, number, service, had_999 in await cursor.fetchall():
        found.setdefault(handler, []).append(Candidate(number, service, had_999))
    return found


async def draw_month(
    conn: Connection, handler: str, month: date, candidates: Sequence[Candidate], seed: int, now: datetime
) -> list[UUID]:
    """Draw a handler's month and keep it: the samples' ids, none where somebody has drawn it already."""
    async with conn.transaction():
        cursor = await conn.execute(
            """insert into quality_draws (handler, month, seed, drawn_at, candidates) values (%s, %s, %s, %s, %s)
               on conflict do nothing""",
            (handler, month, seed, now, len(candidates)),
        )
        if cursor.rowcount == 0:
            return []
        cursor = await conn.execute(
            "select service, max(month) from quality_samples where handler = %s and month < %s group by service",
            (handler, month),
        )
        chosen = draw(candidates, dict(await cursor.fetchall()), seed)
        ids = [uuid7() for _ in chosen]
        for place, (number, one) in enumerate(zip(ids, chosen, strict=True), start=1):
            await conn.execute(
                """insert into quality_samples (id, handler, month, place, alert_id, service, had_999)
                   values (%s, %s, %s, %s, %s, %s, %s)""",
                (number, handler, month, place, one.alert_id, one.service, one.had_999),
            )
    return ids


# ---------------------------------------------------------------- the review


async def review(conn: Connection, sample: UUID, by: str, marks: Mapping[str, str], note: str, now: datetime) -> None:
    """Keep what somebody else than the handler saw. It is the alert's review too, unless that has one already.

    Raises:
        NotFound: there is no such sample.
        Conflict: it is one's own, or has been reviewed.
        Incomplete: something is not marked, or nothing is said.
    """
    if wrong := problems(marks, note):
        raise Incomplete([f"{name}: {words}" for name, words in wrong.items()])
    async with conn.transaction():
        alert_id = await _lock_open(conn, sample, by)
        async with conn.cursor() as cursor:
            await cursor.executemany(
                "insert into quality_marks (sample_id, criterion, mark) values (%s, %s, %s)",
                [(sample, criterion.value, marks[criterion.value]) for criterion in Criterion],
            )
        await conn.execute(
            "update quality_samples set reviewed_by = %s, reviewed_at = %s, note = %s where id = %s",
            (by, now, note.strip(), sample),
        )
        known = await conn.execute("select 1 from reviews where alert_id = %s", (alert_id,))
        if await known.fetchone() is None:
            points = score({criterion: Mark(marks[criterion.value]) for criterion in Criterion})
            await knowing.review(conn, alert_id, by, points, note, now)


async def _lock_open(conn: Connection, sample: UUID, by: str) -> int:
    cursor = await conn.execute(
        "select alert_id, handler, reviewed_by from quality_samples where id = %s for no key update", (sample,)
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound("no such sample")
    alert_id, handler, reviewed_by = row
    if reviewed_by is not None:
        raise Conflict("this has been reviewed already", claimed_by=reviewed_by, state="reviewed")
    if handler == by:
        raise Conflict("somebody else must review what you handled", claimed_by=handler, state="closed")
    return int(alert_id)


# ---------------------------------------------------------------- for the pages

_SAMPLES: Final = """
    select q.id, q.handler, h.display_name as handler_name, q.month, q.alert_id, q.service, q.had_999, q.reviewed_by,
           r.display_name as reviewed_by_name, q.reviewed_at, q.note, d.candidates, d.seed
      from quality_samples q
      join quality_draws d on d.handler = q.handler and d.month = q.month
      join staff h on h.username = q.handler
      left join staff r on r.username = q.reviewed_by
"""


async def _records(conn: Connection, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql.encode(), values)
        return await cursor.fetchall()


async def to_review(conn: Connection) -> list[dict[str, Any]]:
    """Samples that nobody has reviewed, the oldest months first."""
    return await _records(
        conn,
        f"{_SAMPLES} where q.reviewed_by is null order by q.month, h.display_name, q.place limit %(most)s",
        {"most": TO_REVIEW_LIMIT},
    )


async def reviewed_in(conn: Connection, month: date) -> list[dict[str, Any]]:
    """A month's samples that were reviewed."""
    return await _records(
        conn,
        f"{_SAMPLES} where q.month = %(month)s and q.reviewed_by is not null order by h.display_name, q.place",
        {"month": month},
    )


async def months(conn: Connection) -> list[date]:
    """The months that were drawn, the newest first."""
    cursor = await conn.execute("select distinct month from quality_draws order by month desc limit 24")
    return [row[0] for row in await cursor.fetchall()]


async def samples_of(conn: Connection, month: date) -> list[Sample]:
    """A month's samples with their marks."""
    found = await _records(
        conn,
        """select q.handler, h.display_name as name, d.candidates,
                  (select json_object_agg(m.criterion, m.mark) from quality_marks m where m.sample_id = q.id) as marks
             from quality_samples q
             join quality_draws d on d.handler = q.handler and d.month = q.month
             join staff h on h.username = q.handler
            where q.month = %(month)s order by q.handler, q.place""",
        {"month": month},
    )
    return [Sample(**row | {"marks": _marks(row["marks"])}) for row in found]


def _marks(given: dict[str, str] | None) -> dict[Criterion, Mark] | None:
    return None if given is None else {Criterion(name): Mark(mark) for name, mark in given.items()}


async def sample_of(conn: Connection, sample: UUID) -> dict[str, Any]:
    """One sample, with its `marks` by criterion where it was reviewed.

    Raises:
        NotFound: there is none.
    """
    found = await _records(conn, f"{_SAMPLES} where q.id = %(id)s", {"id": sample})
    if not found:
        raise NotFound("no such sample")
    marks = await _records(conn, "select criterion, mark from quality_marks where sample_id = %(id)s", {"id": sample})
    return found[0] | {"marks": {one["criterion"]: one["mark"] for one in marks}}
