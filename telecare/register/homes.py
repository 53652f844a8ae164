"""Homes and who and what is in them: adding, enrolling hubs, reading."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from telecare.db import Connection, database_now
from telecare.errors import NotFound, Refused
from telecare.ids import uuid7
from telecare.mqtt_accounts import hash_secret
from telecare.register import contacts, own
from telecare.register.contacts import NewContact as NewContact  # part of a new home
from telecare.register.plans import CarePlan, set_plan
from telecare.rota import ServiceType
from telecare.wire import HUB_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    """Someone who wears the alarm."""

    name: str
    known_as: str = ""
    born: date | None = None
    mobile: str = ""
    language: str = "English"
    conditions: str = ""
    mobility: str = ""
    wishes: str = ""
    plan: CarePlan | None = None
    service_type: ServiceType = ServiceType.GOLD
    contacts: tuple[NewContact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevice:
    """A device of the home. `person` is its wearer's place in `NewHome.people`, or None for a sensor of the home."""

    name: str
    kind: str
    person: int | None = None
    location: str = ""
    leads_outside: bool = False  # a door through which one leaves the home


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHome:
    """A home to be added, with everyone and everything in it."""

    address: str
    postcode: str = ""
    phone: str = ""
    access_notes: str = ""
    key_safe_location: str = ""
    key_safe_code: str = ""
    hazards: str = ""
    council: str = "Anytown Council"
    people: tuple[NewPerson, ...] = ()
    devices: tuple[NewDevice, ...] = ()


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A hub that may log in. The secret is known only here and to the hub."""

    hub: str
    home: UUID
    secret: str = field(repr=False)


async def add_home(conn: Connection, new: NewHome) -> UUID:
    """Add a home with its people, contacts and devices; returns its id.

    Raises:
        Refused: something is wrong with a contact, such as a telephone number that is none.
    """
    for contact in (one for person in new.people for one in person.contacts):
        contacts.checked(contact)  # before anything of the home is written
    home_id = uuid7()
    await conn.execute(
        """insert into homes (id, council_id, address, postcode, phone, access_notes, key_safe_location, key_safe_code,
                              hazards)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (home_id, await _council(conn, new.council), new.address, new.postcode, new.phone, new.access_notes,
         new.key_safe_location, new.key_safe_code, new.hazards),
    )  # fmt: skip
    people = [await _add_person(conn, home_id, person) for person in new.people]
    for device in new.devices:
        wearer = None if device.person is None else people[device.person]
        await conn.execute(
            """insert into devices (home_id, name, kind, person_id, location, leads_outside)
               values (%s, %s, %s, %s, %s, %s)""",
            (home_id, device.name, device.kind, wearer, device.location, device.leads_outside),
        )
    return home_id


async def _council(conn: Connection, name: str) -> UUID:
    await conn.execute("insert into councils (id, name) values (%s, %s) on conflict (name) do nothing", (uuid7(), name))
    row = await (await conn.execute("select id from councils where name = %s", (name,))).fetchone()
    assert row is not None
    council: UUID = row[0]
    return council


async def _add_person(conn: Connection, home_id: UUID, new: NewPerson) -> UUID:
    person_id = uuid7()
    await conn.execute(
        """insert into people (id, home_id, name, known_as, born, mobile, language, conditions, mobility, wishes,
                               service_type)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (person_id, home_id, new.name, new.known_as, new.born, new.mobile, new.language, new.conditions, new.mobility,
         new.wishes, new.service_type.value),
    )  # fmt: skip
    for place, contact in enumerate(new.contacts, start=1):
        await contacts.insert(conn, person_id, place, contact)
    if new.plan is not None:
        await set_plan(conn, person_id, new.plan, "register", await database_now(conn))
    return person_id


def home_to_be_described(hub: str) -> NewHome:
    """The home of a hub that was enrolled before anyone wrote down who lives there."""
    return NewHome(
        address=f"Home of hub {hub} (address not yet recorded)",
        people=(NewPerson(name=f"Resident of {hub} (name not yet recorded)"),),
    )


async def enrol_hub(conn: Connection, name: str, home_id: UUID) -> Enrolment:
    """Let a hub of this name speak for a home.

    The broker learns of it when `mqtt_accounts.publish` has run.

    Raises:
        Refused: the name is not a hub name, or is taken.
        NotFound: there is no such home.
    """
    if not HUB_NAME.fullmatch(name):
        raise Refused(f"not a hub name: {name!r} (small letters, digits and hyphens, at most 63)")
    if name == own.HUB:
        raise Refused(f"{name} is the name of the service's own test hub")
    if not await (await conn.execute("select 1 from homes where id = %s", (home_id,))).fetchone():
        raise NotFound(f"no home {home_id}")
    secret = secrets.token_urlsafe(24)
    cursor = await conn.execute(
        "insert into hubs (name, home_id, secret_hash) values (%s, %s, %s) on conflict (name) do nothing",
        (name, home_id, hash_secret(secret)),
    )
    if cursor.rowcount == 0:
        raise Refused(f"the hub {name} is enrolled already")
    return Enrolment(name, home_id, secret)


async def enrolled_hubs(conn: Connection) -> dict[str, UUID]:
    """Every enrolled hub's name, with the id of its home; the service's own test hub is none of them."""
    rows = await (
        await conn.execute("select name, home_id from hubs where secret_hash is not null order by name")
    ).fetchall()
    return dict(rows)


async def open_test_window(
    conn: Connection, home_id: UUID, device: str, opened_by: str, now: datetime, length: timedelta
) -> None:
    """Let alarms of one device that say `test` count as tests for a while: at most 30 minutes.

    Raises:
        Refused: the window would be longer, or empty.
        NotFound: there is no such device.
    """
    if not timedelta() < length <= timedelta(minutes=30):
        raise Refused("a test window lasts between 1 and 30 minutes")
    cursor = await conn.execute(
        """insert into test_windows (id, home_id, device, opened_by, opened_at, ends_at)
           select %s, home_id, name, %s, %s, %s from devices where home_id = %s and name = %s""",
        (uuid7(), opened_by, now, now + length, home_id, device),
    )
    if cursor.rowcount == 0:
        raise NotFound(f"no device {device!r} in that home")


async def _rows(conn: Connection, sql: str, parameters: Sequence[Any]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql.encode(), parameters)
        return await cursor.fetchall()


async def home(conn: Connection, home_id: UUID) -> dict[str, Any]:
    """A home as a record, without its key-safe code.

    Raises:
        NotFound: there is none.
    """
    rows = await _rows(
        conn,
        """select h.id, h.address, h.postcode, h.phone, h.access_notes, h.key_safe_location,
                  h.key_safe_code <> '' as has_key_safe_code, h.hazards, coalesce(c.name, '') as council,
                  coalesce(c.timezone, 'Europe/London') as timezone
             from homes h left join councils c on c.id = h.council_id where h.id = %s""",
        (home_id,),
    )
    if not rows:
        raise NotFound("no such home")
    return rows[0]


async def key_safe_code(conn: Connection, home_id: UUID) -> str:
    """The code of a home's key safe. The caller writes down who asked.

    Raises:
        NotFound: there is no such home.
    """
    row = await (await conn.execute("select key_safe_code from homes where id = %s", (home_id,))).fetchone()
    if row is None:
        raise NotFound("no such home")
    return str(row[0])


async def people_of(conn: Connection, home_id: UUID) -> list[dict[str, Any]]:
    """Everyone who wears an alarm in a home."""
    return await _rows(conn, "select * from people where home_id = %s order by name", (home_id,))


async def person(conn: Connection, person_id: UUID) -> dict[str, Any]:
    """A person as a record.

    Raises:
        NotFound: there is none.
    """
    rows = await _rows(conn, "select * from people where id = %s", (person_id,))
    if not rows:
        raise NotFound("no such person")
    return rows[0]


async def contacts_of(conn: Connection, person_id: UUID) -> list[dict[str, Any]]:
    """A person's contacts, in the order in which they are asked."""
    return await _rows(
        conn, "select * from contacts where person_id = %s and ended_at is null order by place", (person_id,)
    )


async def devices_of(conn: Connection, home_id: UUID) -> list[dict[str, Any]]:
    """A home's devices with their wearers' names."""
    return await _rows(
        conn,
        """select d.name, d.kind, d.location, d.person_id, p.name as person
             from devices d left join people p on p.id = d.person_id where d.home_id = %s order by d.name""",
        (home_id,),
    )
