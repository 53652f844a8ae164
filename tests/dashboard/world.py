"""A small service to test against: staff, a home, alarms that became alerts, and a dashboard that is listening."""

import asyncio
import hashlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from alerts import actions
from alerts.providers import DemoProvider
from alerts.service import Engine
from alerts.watchdog.domain import SERVICE, SERVICES
from dashboard.server import serve
from telecare.clock import SystemClock
from telecare.db import Pool, database_now
from telecare.heartbeat import beat
from telecare.ids import uuid7
from telecare.register import homes, staff
from telecare.settings import Settings
from telecare.vocabulary import Cause, ConfirmedBy, Outcome, Role

PASSWORD = "a long enough password"
NASTY = "<script>alert(1)</script>"
_hashes: list[str] = []


def settings_for(database_url: str, data_dir: Path, **more: Any) -> Settings:
    """Settings of a dashboard on this database."""
    # No watchdog runs here, and pages do not say so within this time.
    given = {"watchdog_within_s": 1000.0} | more
    return Settings(
        database_url=SecretStr(database_url), mqtt_url=SecretStr("mqtt://127.0.0.1:1"), data_dir=data_dir, **given
    )


@dataclass
class World:
    """The service's database, with what a test puts into it."""

    pool: Pool
    settings: Settings
    base: str = ""
    seq: int = 0
    homes: dict[str, UUID] = field(default_factory=dict)  # by hub
    people: dict[str, UUID] = field(default_factory=dict)  # by hub
    contacts: dict[str, UUID] = field(default_factory=dict)  # the first contact of the person, by hub

    async def add_staff(self, *roles: Role) -> None:
        """One member of each role, whose user name is the role."""
        for role in roles:
            await self.add_colleague(role.value, role)

    async def add_colleague(self, username: str, role: Role = Role.OPERATOR, *, demo: bool = False) -> None:
        """A member of staff with the password of all. It is hashed once for all tests: that is slow on purpose."""
        async with self.pool.connection() as conn:
            if _hashes:
                await conn.execute(
                    """insert into staff (id, username, display_name, role, password_hash, demo)
                       values (%s, %s, %s, %s, %s, %s)""",
                    (uuid7(), username, f"{username.title()} One", role.value, _hashes[0], demo),
                )
                return
            await staff.add_member(conn, username, f"{username.title()} One", role, PASSWORD, demo=demo)
            cursor = await conn.execute("select password_hash from staff where username = %s", (username,))
            _hashes.extend(row[0] for row in await cursor.fetchall())

    async def add_home(self, hub: str, name: str = "Mary Ashworth", **more: Any) -> UUID:
        """A home with one person, a pendant, a motion sensor, two contacts and a hub that is online."""
        new = homes.NewHome(
            address=more.pop("address", f"{len(self.homes) + 1} Mill Lane, Anytown"), postcode="AN1 2BC",
            phone="01632 960101", access_notes="Front door, ring twice. She takes a minute to come.",
            key_safe_location="Left of the back door", key_safe_code="4711",
            hazards=more.pop("hazards", "Small dog, friendly. Two steps down into the kitchen."),
            people=(
                homes.NewPerson(
                    name=name, known_as=name.split(" ")[0], born=date(1941, 3, 9), mobile="07700 900123",
                    conditions="Osteoporosis; takes a blood thinner", mobility="Walks with a frame",
                    wishes="Call my daughter before an ambulance unless I am hurt.",
                    contacts=(
                        homes.NewContact(
                            name="Susan Ashworth", relationship="daughter", phone="07700 900456", has_key=True
                        ),
                        homes.NewContact(name="Tom Hill", relationship="neighbour", phone="01632 960222"),
                    ),
                ),
            ),
            devices=(
                homes.NewDevice(name="pendant-1", kind="pendant", person=0),
                homes.NewDevice(name="pir-hall", kind="motion", location="hall"),
            ),
            **more,
        )  # fmt: skip
        async with self.pool.connection() as conn:
            home = await homes.add_home(conn, new)
            await homes.enrol_hub(conn, hub, home)
            await conn.execute(
                """insert into hub_states (hub, online, session, heartbeat_s, received_at, mains, network, firmware)
                   values (%s, true, 1, 60, clock_timestamp(), true, 'ethernet', '1.4.0')""",
                (hub,),
            )
            (person,) = await homes.people_of(conn, home)
            self.contacts[hub] = (await homes.contacts_of(conn, person["id"]))[0]["id"]
        self.homes[hub], self.people[hub] = home, person["id"]
        return home

    async def alarm(self, hub: str, kind: str = "button", device: str = "pendant-1", **more: Any) -> UUID:
        """An alarm as ingest commits it, and as the engine then takes it. Returns its id."""
        self.seq += 1
        alarm_id, late = uuid7(), more.pop("late", timedelta())
        values = {"location": "bathroom", "evidence": {}, "doubts": [], "test": False} | more
        async with self.pool.connection() as conn:
            now = await database_now(conn)
            content = hashlib.sha256(json.dumps([hub, self.seq]).encode()).digest()
            await conn.execute(
                """insert into alarms (id, hub, given_id, seq, device, kind, at, clock_synced, test, location, evidence,
                                       doubts, content_hash, received_at)
                   values (%s, %s, %s, %s, %s, %s, %s, true, %s, %s, %s, %s, %s, %s)""",
                (alarm_id, hub, str(alarm_id), self.seq, device, kind, now - late, values["test"], values["location"],
                 Jsonb(values["evidence"]), values["doubts"], content, now),
            )  # fmt: skip
            await conn.execute("insert into alarms_waiting values (%s, %s)", (alarm_id, now))
        await take_alarms(self)
        return alarm_id

    async def alert(self, hub: str, kind: str = "button", **more: Any) -> int:
        """The number of the alert that an alarm became."""
        alarm_id = await self.alarm(hub, kind, **more)
        async with self.pool.connection() as conn:
            cursor = await conn.execute("select alert_id from alert_alarms where alarm_id = %s", (alarm_id,))
            row = await cursor.fetchone()
        assert row is not None
        number: int = row[0]
        return number

    async def claim(self, number: int, by: str = "operator") -> None:
        """Somebody claims it."""
        async with self.pool.connection() as conn:
            await actions.claim(conn, self.settings, number, by, await database_now(conn))

    async def close(self, number: int, by: str = "operator") -> None:
        """Somebody closes it."""
        async with self.pool.connection() as conn:
            await actions.close(
                conn, self.settings, number, by, await database_now(conn), cause=Cause.FALL_UP,
                outcomes=[Outcome.REASSURED], confirmed_by=ConfirmedBy.PERSON, how="She told me",
            )  # fmt: skip

    async def reading(self, hub: str, device: str, measure: str, value: float, at: datetime) -> None:
        """A reading as ingest stores it."""
        async with self.pool.connection() as conn:
            await conn.execute(
                """with s as (insert into series (hub, device, measure) values (%s, %s, %s)
                              on conflict (hub, device, measure) do update set hub = excluded.hub returning id)
                   insert into readings (series_id, at, value, received_at) select id, %s, %s, %s from s""",
                (hub, device, measure, at, value, at),
            )

    async def all_services_live(self) -> None:
        """Each says that it lives and hears its messages."""
        async with self.pool.connection() as conn:
            for service in (*SERVICES, SERVICE):
                await beat(conn, service, {"subscribed": True})

    async def token(self, username: str) -> dict[str, str]:
        """The header of a program that acts for this member."""
        async with self.pool.connection() as conn:
            token = await staff.new_token(conn, username, await database_now(conn))
        return {"Authorization": f"Bearer {token}"}

    @asynccontextmanager
    async def browser_session(self, username: str) -> AsyncIterator[httpx.AsyncClient]:
        """A client that has logged in; its form token is in `csrf`."""
        async with httpx.AsyncClient(base_url=self.base, timeout=20) as client:
            answer = await client.post("/login", data={"username": username, "password": PASSWORD})
            assert answer.status_code == 303, answer.text
            yield client


async def take_alarms(world: World) -> None:
    """Let the real engine take what waits."""
    engine = Engine(world.pool, world.settings, DemoProvider(), SystemClock())
    while await engine.take_step():
        pass


async def send_messages(world: World) -> None:
    """Let the real engine send what waits: to the demo's page."""
    engine = Engine(world.pool, world.settings, DemoProvider(), SystemClock())
    while await engine.message_step():
        pass


async def csrf_of(client: httpx.AsyncClient, page: str) -> str:
    """The form token of this client's session, as a page shows it."""
    text = (await client.get(page)).text
    return text.split('name="csrf_token" value="')[1].split('"')[0]


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[str]:
    """A dashboard that is listening; its address."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    stop = asyncio.Event()
    task = asyncio.create_task(serve(settings, listener, stop))
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=base) as client:
            assert (await client.get("/static/telecare.css")).status_code == 200  # the socket waits for the server
        yield base
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)
