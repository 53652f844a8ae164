"""Every SQL statement about browsers in which carers let us ring ("devices"), and about messages that they show."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row, dict_row

from alerts.providers import AtDevice, Devices, Subscription
from telecare.db import Connection
from telecare.ids import uuid7


@dataclass(frozen=True, slots=True)
class Device:
    """A browser of a login, with how the last test message went there."""

    id: UUID
    name: str
    endpoint: str
    created_at: datetime
    gone_at: datetime | None  # the push service says that it is no more
    tested_at: datetime | None = None  # when a test was last handed over, or tried to be
    outcome: str | None = None  # of that test, one of `AtDevice`; None: not known
    shown_at: datetime | None = None  # the device showed it


async def subscriptions(conn: Connection, contact_id: UUID | None) -> tuple[Subscription, ...]:
    """The browsers in which this contact lets us ring; none of somebody who is no contact."""
    cursor = await conn.execute(
        """select s.id, s.endpoint, s.p256dh, s.auth from push_subscriptions s
             join contacts c on c.staff_id = s.staff_id where c.id = %s and s.gone_at is null order by s.created_at""",
        (contact_id,),
    )
    return tuple(Subscription(*row) for row in await cursor.fetchall())


async def note_devices(conn: Connection, attempt: UUID, devices: Devices, now: datetime) -> None:
    """Keep how a try went at each device; one that is no more is not tried again."""
    for device, how in devices.items():
        await conn.execute(
            """insert into push_deliveries (attempt_id, subscription_id, outcome)
               select %(attempt)s, id, %(how)s from push_subscriptions where id = %(device)s
               on conflict (attempt_id, subscription_id) do update set outcome = excluded.outcome""",
            {"attempt": attempt, "device": device, "how": how.value},
        )
        if how is AtDevice.GONE:
            await conn.execute(
                "update push_subscriptions set gone_at = %s where id = %s and gone_at is null", (now, device)
            )


async def note_shown(conn: Connection, attempt: UUID, device: UUID, now: datetime) -> None:
    """A device says that it shows the message of a try; nothing where it has been removed."""
    await conn.execute(
        """insert into push_deliveries (attempt_id, subscription_id, shown_at)
           select %(attempt)s, id, %(now)s from push_subscriptions where id = %(device)s
           on conflict (attempt_id, subscription_id) do update set shown_at = excluded.shown_at
            where push_deliveries.shown_at is null""",
        {"attempt": attempt, "device": device, "now": now},
    )


# ---------------------------------------------------------------- a login's devices

_DEVICES: Final = """
    select s.id, s.name, s.endpoint, s.created_at, s.gone_at, d.begun_at as tested_at, d.outcome, d.shown_at
      from push_subscriptions s
      left join lateral (
           select t.begun_at, d.outcome, d.shown_at
             from push_deliveries d
             join message_attempts t on t.id = d.attempt_id
             join messages m on m.id = t.message_id and m.purpose = 'test'
            where d.subscription_id = s.id order by t.begun_at desc limit 1) d on true
     where s.staff_id = %s order by s.created_at, s.id
"""


async def devices_of(conn: Connection, staff_id: UUID) -> list[Device]:
    """A login's devices, the oldest first; those that are gone among them."""
    async with conn.cursor(row_factory=class_row(Device)) as cursor:
        await cursor.execute(_DEVICES, (staff_id,))
        return await cursor.fetchall()


async def last_test(conn: Connection, staff_id: UUID) -> dict[str, Any] | None:
    """The newest test message to a login's devices."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """select m.state, m.created_at, m.sent_at, m.delivered_at, m.failure
                 from messages m join contacts c on c.id = m.contact_id
                where c.staff_id = %s and m.channel = 'push' and m.purpose = 'test'
                order by m.created_at desc, m.id desc limit 1""",
            (staff_id,),
        )
        return await cursor.fetchone()


async def lock_login(conn: Connection, staff_id: UUID) -> None:
    """Nobody else adds a device to this login until the transaction ends."""
    await conn.execute("select 1 from staff where id = %s for no key update", (staff_id,))


async def count_others(conn: Connection, staff_id: UUID, endpoint: str) -> int:
    """How many devices that can be rung a login has besides this one."""
    cursor = await conn.execute(
        "select count(*) from push_subscriptions where staff_id = %s and gone_at is null and endpoint <> %s",
        (staff_id, endpoint),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def put(
    conn: Connection, staff_id: UUID, endpoint: str, p256dh: str, auth: str, name: str, now: datetime
) -> None:
    """Make a browser a device of this login, whoever had it before."""
    await conn.execute(
        """insert into push_subscriptions (id, staff_id, endpoint, p256dh, auth, name, created_at)
           values (%(id)s, %(staff)s, %(endpoint)s, %(p256dh)s, %(auth)s, %(name)s, %(now)s)
           on conflict (endpoint) do update
              set staff_id = excluded.staff_id, p256dh = excluded.p256dh, auth = excluded.auth, name = excluded.name,
                  gone_at = null,
                  created_at = case when push_subscriptions.staff_id = excluded.staff_id
                                    then push_subscriptions.created_at else excluded.created_at end""",
        {"id": uuid7(), "staff": staff_id, "endpoint": endpoint, "p256dh": p256dh, "auth": auth, "name": name,
         "now": now},
    )  # fmt: skip


async def of_endpoint(conn: Connection, endpoint: str) -> dict[str, Any] | None:
    """The device with this endpoint: its id, login and secret."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "select id, staff_id, auth, gone_at from push_subscriptions where endpoint = %s for update", (endpoint,)
        )
        return await cursor.fetchone()


async def renew(conn: Connection, device: UUID, endpoint: str, p256dh: str, auth: str) -> None:
    """The same device with what its browser now gives: browsers change their endpoint."""
    await conn.execute(
        """update push_subscriptions set endpoint = %(endpoint)s, p256dh = %(p256dh)s, auth = %(auth)s,
                  gone_at = case when endpoint = %(endpoint)s then gone_at end
            where id = %(id)s""",
        {"id": device, "endpoint": endpoint, "p256dh": p256dh, "auth": auth},
    )


async def remove(conn: Connection, staff_id: UUID, device: UUID) -> bool:
    """Forget a device of this login; False where it has no such device."""
    cursor = await conn.execute("delete from push_subscriptions where id = %s and staff_id = %s", (device, staff_id))
    return cursor.rowcount == 1
