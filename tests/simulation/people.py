"""Who lives in the simulated world."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from telecare.db import Connection
from telecare.register import homes
from telecare.register.homes import NewContact, NewDevice, NewHome, NewPerson

if TYPE_CHECKING:
    from tests.simulation.world import World

ZONE = ZoneInfo("Europe/London")
OPERATORS = ("ann", "ben", "cleo", "dev")
SUPERVISOR = "sue"
RESPONDERS = ("rita", "sam")
ROLES = {**dict.fromkeys(OPERATORS, "operator"), SUPERVISOR: "supervisor", **dict.fromkeys(RESPONDERS, "responder")}
LINK = re.compile(r"/a/([\w-]+)")
AT = re.compile(r"went off at (\d\d:\d\d)")


@dataclass(slots=True)
class Contact:
    """A carer, and how they are about answering."""

    id: UUID
    number: int
    phone: str
    person: Person
    answers: float  # how often at all
    goes: float  # how often with a yes
    at_night: bool = True
    under_18: bool = False


@dataclass(slots=True)
class Person:
    """Somebody with an alarm."""

    id: UUID
    number: int
    hub: str
    home: UUID
    device: str
    contacts: list[Contact] = field(default_factory=list)
    stopped: bool = False  # has died or left: nobody is written to


async def settle_in(world: World, conn: Connection, how_many: int) -> list[Person]:
    """Build the homes: mostly one person each; some with two, some people without anybody, some numbers missing."""
    rng, people = world.rng, []
    for name, role in ROLES.items():
        await conn.execute(
            """insert into staff (id, username, display_name, role, password_hash)
               values (gen_random_uuid(), %s, %s, %s, 'none')""",
            (name, name.title(), role),
        )
    for home in range(how_many):
        couple = rng.random() < 0.15
        apart = rng.random() < 0.5  # else both have the same contacts, who are asked about either
        new = NewHome(
            address=f"{home} High Street", postcode=f"AT{home % 9 + 1} {home % 9}AA",
            phone="01632 960111" if rng.random() < 0.8 else "",
            people=tuple(_person(world, home * 2 + n, home * 2 + n * apart) for n in range(1 + couple)),
            devices=(
                *(NewDevice(name=f"pendant-{n + 1}", kind="pendant", person=n) for n in range(1 + couple)),
                NewDevice(name="smoke-1", kind="smoke"), NewDevice(name="pir-1", kind="pir"),
            ),
        )  # fmt: skip
        home_id, hub = await homes.add_home(conn, new), f"hub-{home}"
        await conn.execute("insert into hubs (name, home_id, secret_hash) values (%s, %s, 'none')", (hub, home_id))
        rows = await (
            await conn.execute("select id from people where home_id = %s order by name", (home_id,))
        ).fetchall()
        for n, (person_id,) in enumerate(rows):
            person = Person(person_id, len(people), hub, home_id, f"pendant-{n + 1}")
            people.append(person)
            found = await (
                await conn.execute("select id, phone from contacts where person_id = %s order by place", (person_id,))
            ).fetchall()
            for contact_id, phone in found:
                night = rng.random() < 0.6
                if not night:
                    await conn.execute("update contacts set at_night = false where id = %s", (contact_id,))
                person.contacts.append(
                    Contact(
                        contact_id,
                        world.next_number(),
                        phone,
                        person,
                        rng.choice((0.0, 0.3, 0.7, 0.95)),
                        rng.random(),
                        at_night=night,
                    )
                )
    return people


def _person(world: World, number: int, contacts_of: int) -> NewPerson:
    how_many = world.rng.choice((0, 1, 2, 2, 3))
    contacts = tuple(
        NewContact(
            name=f"Contact {number}-{place}",
            phone=f"07700 {900_000 + contacts_of * 10 + place}" if world.rng.random() < 0.9 else "",
        )
        for place in range(how_many)
    )
    return NewPerson(name=f"Person {number:03}", known_as=f"P{number}", mobile="07700 900999", contacts=contacts)
