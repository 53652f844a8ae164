"""The response team on the database: what each brings and is doing; every change with who made it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts.dispatching import LAST_PLACE_COUNTS
from alerts.errors import Incomplete
from alerts.responding import Errand, Kit, OnBoard, Responder, Shift, Skill, district_of
from alerts.visiting import VisitState
from telecare.clock import parse_instant
from telecare.db import Connection
from telecare.errors import NotFound

NAME_LIMIT: Final = 200  # characters of a name, a place, a reason
LANGUAGES_LIMIT: Final = 12
CHANGES_SHOWN: Final = 50
_LANGUAGE_LIMIT: Final = 60  # characters of one

# Somebody goes where they are named as who goes or as the second, by user name or as people write them.
TEAM: Final = """
    select s.username, s.display_name as name, r.username is not null as recorded, coalesce(r.skills, '{}') as skills,
           coalesce(r.languages, '{}') as languages, coalesce(r.place, '') as place,
           coalesce(r.district, '') as district, coalesce(c.name, '') as council,
           h.id as shift_id, h.from_at, h.until_at, h.away_until, h.away_why, h.vehicle_id, v.name as vehicle,
           coalesce(nullif(coalesce(p.display_name, h.partner), ''), back.display_name, '') as partner,
           coalesce((select jsonb_agg(jsonb_build_object('kind', k.kind, 'fault', k.fault) order by k.kind, k.id)
                       from vehicle_kit k where k.vehicle_id = h.vehicle_id and k.removed_at is null), '[]') as kit,
           coalesce((select jsonb_agg(jsonb_build_object(
                        'alert', t.alert_id, 'state', t.state, 'eta_at', t.eta_at, 'left_at', t.left_at,
                        'address', coalesce(o.address, i.label), 'postcode', coalesce(o.postcode, ''),
                        'since', (select max(x.at) from visit_steps x where x.visit_id = t.id
                                     and x.state = t.state)) order by t.requested_at)
                       from visits t join alerts a on a.id = t.alert_id
                       left join homes o on o.id = a.home_id left join incidents i on i.alert_id = a.id
                      where (t.due_at is not null or t.left_at > %(recent)s)
                        and (t.responder in (s.username, s.display_name) or t.second in (s.username, s.display_name))),
                    '[]') as errands
      from staff s
      left join responders r on r.username = s.username
      left join councils c on c.id = r.council_id
      left join responder_shifts h on h.username = s.username and h.from_at <= %(now)s and h.until_at > %(now)s
      left join vehicles v on v.id = h.vehicle_id
      left join staff p on p.username = h.partner
      left join lateral (select m.display_name from responder_shifts g join staff m on m.username = g.username
                          where g.partner = s.username and g.from_at <= %(now)s and g.until_at > %(now)s
                          order by g.from_at limit 1) back on h.id is not null
     where s.role = 'responder' and s.active
     order by s.display_name, s.username
"""


async def team(conn: Connection, now: datetime) -> list[Responder]:
    """Everybody who can be sent, with what they are doing."""
    return [_responder(row) for row in await rows(conn, TEAM, now=now, recent=now - LAST_PLACE_COUNTS)]


def _responder(row: dict[str, Any]) -> Responder:
    shift = None
    if row["shift_id"] is not None:
        kit = [OnBoard(Kit(one["kind"]), one["fault"]) for one in row["kit"]]
        shift = Shift(
            from_at=row["from_at"], until_at=row["until_at"], partner=row["partner"], vehicle=row["vehicle"] or "",
            kit=kit, away_until=row["away_until"], away_why=row["away_why"],
        )  # fmt: skip
    return Responder(
        username=row["username"], name=row["name"], skills=frozenset(map(Skill, row["skills"])),
        languages=tuple(row["languages"]), place=row["place"], district=row["district"], council=row["council"],
        shift=shift, errands=[_errand(one) for one in row["errands"]], recorded=row["recorded"],
    )  # fmt: skip


def _errand(one: dict[str, Any]) -> Errand:
    times = {name: parse_instant(one[name]) if one[name] else None for name in ("eta_at", "left_at", "since")}
    since = times.pop("since")
    assert since is not None
    return Errand(
        alert_id=one["alert"], state=VisitState(one["state"]), since=since, address=one["address"] or "",
        postcode=one["postcode"], **times,
    )  # fmt: skip


async def rows(conn: Connection, sql: str, **values: Any) -> list[dict[str, Any]]:
    """What a statement gives."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql.encode(), values)
        return await cursor.fetchall()


async def known_as(conn: Connection, text: str) -> str:
    """The user name of the responder whom `text` names by user name or name; the text itself where it is nobody's."""
    found = await rows(
        conn,
        """select username from staff where role = 'responder' and active
              and lower(%(text)s) in (lower(username), lower(display_name))""",
        text=text,
    )
    return str(found[0]["username"]) if len(found) == 1 else text


async def partner_of(conn: Connection, username: str, now: datetime) -> str:
    """With whom a responder works now; '' alone, or not known."""
    return next((one.partner for one in await team(conn, now) if one.username == username), "")


async def note(conn: Connection, about: str, what: str, detail: dict[str, Any], by: str, now: datetime) -> None:
    """Write down who changed what."""
    await conn.execute(
        "insert into response_log (at, who, about, what, detail) values (%s, %s, %s, %s, %s)",
        (now, by, about, what, Jsonb(detail)),
    )


async def changes(conn: Connection, limit: int = CHANGES_SHOWN) -> list[dict[str, Any]]:
    """What was changed last, the newest first."""
    return await rows(
        conn,
        """select l.at, l.about, l.what, l.detail, coalesce(s.display_name, l.who) as who,
                  coalesce(m.display_name, l.about) as about_name
             from response_log l left join staff s on s.username = l.who left join staff m on m.username = l.about
            order by l.id desc limit %(limit)s""",
        limit=limit,
    )


# ---------------------------------------------------------------- what somebody brings


@dataclass(frozen=True, slots=True, kw_only=True)
class Brings:
    """What is written down of a responder."""

    skills: Sequence[Skill] = ()
    languages: Sequence[str] = ()  # beside English
    place: str = ""
    district: str = ""  # a postcode, or its district
    council: str = ""


async def set_brings(conn: Connection, username: str, new: Brings, by: str, now: datetime) -> None:
    """Write down what a responder brings.

    Raises:
        NotFound: there is no such responder.
        Incomplete: something is too long, no postcode district, or no council of ours.
    """
    await responder_named(conn, username)
    languages = [one.strip() for one in new.languages if one.strip()]
    district = district_of(new.district)
    council = (await rows(conn, "select id from councils where name = %(name)s", name=new.council))[:1]
    wrong = []
    if len(languages) > LANGUAGES_LIMIT or any(len(one) > _LANGUAGE_LIMIT for one in languages):
        wrong.append(f"languages: at most {LANGUAGES_LIMIT}, each of at most {_LANGUAGE_LIMIT} characters")
    if len(new.place) > NAME_LIMIT:
        wrong.append(f"place: at most {NAME_LIMIT} characters")
    if new.district.strip() and not district:
        wrong.append("district: enter a postcode or its first half, like EX4")
    if new.council and not council:
        wrong.append("council: there is no such council")
    if wrong:
        raise Incomplete(wrong)
    kept = {"skills": sorted(new.skills), "languages": languages, "place": new.place.strip(), "district": district}
    await conn.execute(
        """insert into responders (username, skills, languages, place, district, council_id)
           values (%(username)s, %(skills)s, %(languages)s, %(place)s, %(district)s, %(council)s)
           on conflict (username) do update set skills = excluded.skills, languages = excluded.languages,
              place = excluded.place, district = excluded.district, council_id = excluded.council_id""",
        kept | {"username": username, "council": council[0]["id"] if council else None},
    )
    await note(conn, username, "brings", kept | {"council": new.council}, by, now)


async def responder_named(conn: Connection, username: str) -> str:
    """The name of a responder who works here.

    Raises:
        NotFound: there is none.
    """
    found = await rows(
        conn,
        "select display_name from staff where username = %(username)s and role = 'responder' and active",
        username=username,
    )
    if not found:
        raise NotFound("no such responder")
    return str(found[0]["display_name"])
