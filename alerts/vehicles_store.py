"""The response team's vehicles and the kit on board; every change with who made it."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.errors import UniqueViolation

from alerts.errors import Incomplete
from alerts.responders_store import note, rows
from alerts.responding import Kit
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.ids import uuid7

_FAULT_LIMIT: Final = 500  # characters
_VEHICLE_LIMIT: Final = 60  # of a name


async def vehicles(conn: Connection, now: datetime) -> list[dict[str, Any]]:
    """Every vehicle with its kit and who has it now."""
    return await rows(
        conn,
        """select v.id, v.name,
                  array(select s.display_name from responder_shifts h join staff s on s.username = h.username
                         where h.vehicle_id = v.id and h.from_at <= %(now)s and h.until_at > %(now)s
                         order by s.display_name) as with_whom,
                  coalesce((select jsonb_agg(jsonb_build_object('id', k.id, 'kind', k.kind, 'fault', k.fault)
                                             order by k.kind, k.id)
                              from vehicle_kit k where k.vehicle_id = v.id and k.removed_at is null), '[]') as kit
             from vehicles v where v.retired_at is null order by v.name""",
        now=now,
    )


async def _vehicle(conn: Connection, vehicle: UUID) -> str:
    found = await rows(conn, "select name from vehicles where id = %(id)s and retired_at is null", id=vehicle)
    return str(found[0]["name"]) if found else ""


async def _must_have(conn: Connection, vehicle: UUID) -> str:
    if name := await _vehicle(conn, vehicle):
        return name
    raise NotFound("no such vehicle")


async def add_vehicle(conn: Connection, name: str, by: str, now: datetime) -> UUID:
    """A new vehicle; its id.

    Raises:
        Incomplete: it has no name, a long one, or another's.
    """
    if not 0 < len(name.strip()) <= _VEHICLE_LIMIT or "\0" in name:
        raise Incomplete([f"name: 1 to {_VEHICLE_LIMIT} characters"])
    vehicle = uuid7()
    try:
        async with conn.transaction():
            await conn.execute("insert into vehicles (id, name) values (%s, %s)", (vehicle, name.strip()))
    except UniqueViolation as problem:
        raise Incomplete(["name: there is a vehicle of this name"]) from problem
    await note(conn, name.strip(), "vehicle-added", {}, by, now)
    return vehicle


async def retire_vehicle(conn: Connection, vehicle: UUID, by: str, now: datetime) -> None:
    """Nobody goes in it any more. What was written down stays."""
    name = await _must_have(conn, vehicle)
    await conn.execute("update vehicles set retired_at = %s where id = %s", (now, vehicle))
    await note(conn, name, "vehicle-retired", {}, by, now)


async def add_kit(conn: Connection, vehicle: UUID, kind: Kit, by: str, now: datetime) -> UUID:
    """A piece of kit on board; its id."""
    name, item = await _must_have(conn, vehicle), uuid7()
    await conn.execute(
        "insert into vehicle_kit (id, vehicle_id, kind) values (%s, %s, %s)", (item, vehicle, kind.value)
    )
    await note(conn, name, "kit-added", {"kit": kind.value}, by, now)
    return item


async def remove_kit(conn: Connection, item: UUID, by: str, now: datetime) -> None:
    """It is on board no more."""
    name, kind = await _item(conn, item)
    await conn.execute("update vehicle_kit set removed_at = %s where id = %s", (now, item))
    await note(conn, name, "kit-removed", {"kit": kind}, by, now)


async def set_fault(
    conn: Connection, item: UUID, fault: str, by: str, now: datetime, *, only_in_hands_of: str | None = None
) -> None:
    """What is wrong with a piece of kit; '': it works. `only_in_hands_of`: a responder whose vehicle it must be in.

    Raises:
        NotFound: there is no such kit, or not in their vehicle.
        Incomplete: it is too long.
    """
    name, kind = await _item(conn, item, only_in_hands_of, now)
    if len(fault) > _FAULT_LIMIT or "\0" in fault:
        raise Incomplete([f"fault: at most {_FAULT_LIMIT} characters"])
    said = fault.strip()
    await conn.execute(
        """update vehicle_kit set fault = %s,
                  faulty_since = case when %s = '' then null else coalesce(faulty_since, %s) end where id = %s""",
        (said, said, now, item),
    )
    await note(conn, name, "kit-faulty" if said else "kit-mended", {"kit": kind, "fault": said}, by, now)


async def _item(conn: Connection, item: UUID, hands: str | None = None, now: datetime | None = None) -> tuple[str, str]:
    found = await rows(
        conn,
        """select v.name, k.kind from vehicle_kit k join vehicles v on v.id = k.vehicle_id
            where k.id = %(id)s and k.removed_at is null and v.retired_at is null
              and (%(hands)s::text is null
                   or exists (select 1 from responder_shifts h where h.vehicle_id = v.id and h.username = %(hands)s
                                 and h.from_at <= %(now)s and h.until_at > %(now)s))""",
        id=item,
        hands=hands,
        now=now,
    )
    if not found:
        raise NotFound("no such kit")
    return found[0]["name"], found[0]["kind"]
