"""Who lives in the simulated world, and what can happen to a message on its way to a telephone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.providers import Handed, Outgoing, ProviderRefused, ProviderUnavailable
from telecare.db import Connection
from telecare.register import homes
from telecare.register.homes import NewContact, NewDevice, NewHome, NewPerson
from tests.simulation.broken import Broken
from tests.simulation.lines import Crash

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
        new = NewHome(
            address=f"{home} High Street", postcode=f"AT{home % 9 + 1} {home % 9}AA",
            phone="01632 960111" if rng.random() < 0.8 else "",
            people=tuple(_person(world, home * 2 + n) for n in range(1 + couple)),
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


def _person(world: World, number: int) -> NewPerson:
    how_many = world.rng.choice((0, 1, 2, 2, 3))
    contacts = tuple(
        NewContact(
            name=f"Contact {number}-{place}",
            phone=f"07700 {900_000 + number * 10 + place}" if world.rng.random() < 0.9 else "",
        )
        for place in range(how_many)
    )
    return NewPerson(name=f"Person {number:03}", known_as=f"P{number}", mobile="07700 900999", contacts=contacts)


class Telephones:
    """The providers of messages: they refuse, fail, hang, take messages in silence, and deliver late or never."""

    def __init__(self, world: World) -> None:
        self.world = world
        both = (Provider(self, "first"), Provider(self, "second"))
        self.table = dict.fromkeys(("sms", "voice", "email", "push"), both)
        self.away_until: datetime | None = None  # both
        self.accepted: dict[str, int] = {}  # by message: how often it was taken
        self.excused: dict[str, int] = {}  # how often taking it may look as if it had failed
        self._last: str | None = None  # the message that was taken last

    def forget(self, key: str) -> None:
        """It is done with."""
        self.accepted.pop(key, None)
        self.excused.pop(key, None)

    def excuse(self) -> None:
        """Whoever handed over the last message died before writing that down: it may come once more."""
        if self._last is not None:
            self.excused[self._last] = self.excused.get(self._last, 0) + 1
            self._last = None

    def accept(self, message: Outgoing) -> None:
        """It is on its way to a telephone."""
        world, rng = self.world, self.world.rng
        self._last = message.key
        self.accepted[message.key] = self.accepted.get(message.key, 0) + 1
        contact = world.by_contact.get(message.contact)
        try:
            world.watch.handed_over(message.key, contact, message.body)
        except Broken as broken:
            world.watch.broken = broken  # whoever called us takes any exception for a provider's
        if contact is None or rng.random() < 0.06:
            world.count("message never delivered")
            return
        late = timedelta(seconds=rng.uniform(2, 20))
        if rng.random() < 0.05:
            late = timedelta(minutes=rng.uniform(5, 600))
            world.count("message delivered late")
        body = message.body
        world.at(world.now + late, "reads", lambda: world.moves.contact_reads(contact, body))


class Provider:
    """One of them, as `alerts.providers.Provider`."""

    receipts = False

    def __init__(self, telephones: Telephones, name: str) -> None:
        self.telephones, self.name = telephones, name
        self.away_until: datetime | None = None

    async def send(self, message: Outgoing) -> Handed:
        """Take it, or not."""
        world, rng = self.telephones.world, self.telephones.world.rng
        if any(until is not None and world.now < until for until in (self.away_until, self.telephones.away_until)):
            world.count("provider away")
            raise ProviderUnavailable("503")
        chance = rng.random()
        if chance < 0.02:
            world.count("provider refused")
            raise ProviderRefused("not a telephone number")
        if chance < 0.04:
            world.count("provider failed")
            raise ProviderUnavailable("500") if rng.random() < 0.7 else ValueError("nonsense inside the provider")
        if chance < 0.05:
            self.away_until = world.now + timedelta(minutes=rng.randint(1, 240))
            world.count("provider away")
            raise ProviderUnavailable("503")
        if chance < 0.06:
            world.count("provider hung")
            raise TimeoutError
        self.telephones.accept(message)
        if chance < 0.07:
            self.telephones.excuse()
            world.count("provider took it and said nothing")
            raise TimeoutError
        if chance < 0.08:
            world.count("engine died with the message handed over")
            raise Crash("the message is with the provider")
        return Handed()
