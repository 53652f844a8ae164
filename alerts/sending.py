"""Sending what was decided to be said: takes a message of the outbox, hands it to a provider, and keeps how it went.

What is next is decided by `delivery.decide`; here is only its shell. Each try is written down with a deadline before it
is made, so that another engine takes up what this one dies over. No limiter stands between two messages.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from alerts import information, on_call_store, push_store, sending_store, store, taking_store
from alerts.delivery import Attempt, End, Next, Outcome, Rules, Send, decide
from alerts.providers import (
    Devices,
    NoProvider,
    NotHanded,
    Outgoing,
    Provider,
    ProviderRefused,
    ProviderUnavailable,
    Table,
)
from alerts.sending_store import Message
from telecare.clock import Clock
from telecare.db import TRY_AGAIN, Connection, Pool
from telecare.phones import e164
from telecare.service import keep_doing
from telecare.settings import Settings

log = logging.getLogger("alerts")

NowOf = Callable[[Connection], Awaitable[datetime]]


def rules_for(settings: Settings, channel: str) -> Rules:
    """How long and how often, by the settings. A call or a push is heard of at once, or not at all."""
    at_once = channel in ("voice", "push")
    return Rules(
        tries=settings.message_attempts,
        rest=timedelta(seconds=settings.message_try_s),
        switch_after=timedelta(seconds=settings.receipt_s) if at_once else None,
        lives=timedelta(seconds=settings.message_fresh_s) if channel == "push" else None,
        fresh=timedelta(seconds=settings.message_fresh_s),
        give_up=timedelta(hours=settings.receipt_give_up_h),
    )


@dataclass(frozen=True, slots=True)
class _Went:
    """How a try went."""

    outcome: Outcome
    why: str = ""
    ref: str | None = None  # how the provider calls it
    devices: Devices = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Handing:
    """A try that has been written down and is to be made."""

    message: Message
    provider: Provider
    outgoing: Outgoing


async def step(pool: Pool, settings: Settings, table: Table, now_of: NowOf) -> bool:
    """Do what is due next about one message; False when nothing is due."""
    found, handing = await _take(pool, settings, table, now_of)
    if handing is not None:
        await _make(pool, settings, table, now_of, handing)
    return found


async def run(
    pool: Pool, settings: Settings, table: Table, now_of: NowOf, wake: asyncio.Event, clock: Clock, poll_s: float
) -> None:
    """Send for ever, several at once: a provider that hangs holds up one message, and not those behind it."""
    free = asyncio.Semaphore(settings.messages_at_once)

    async def make(handing: _Handing) -> None:
        try:
            await _make(pool, settings, table, now_of, handing)
        except TRY_AGAIN as problem:
            # How it went is not written down: at its deadline the try is taken up again.
            event = {"event": "database_away", "worker": "messages", "why": type(problem).__name__}
            log.warning("database away", extra=event)
        finally:
            free.release()
            wake.set()  # what comes next may be due at once

    async with asyncio.TaskGroup() as tries:

        async def take() -> bool:
            await free.acquire()
            handing = None
            try:
                found, handing = await _take(pool, settings, table, now_of)
            finally:
                if handing is None:
                    free.release()
            if handing is not None:
                tries.create_task(make(handing))
            return found

        await keep_doing(take, wake, clock, poll_s, "messages")


async def _take(pool: Pool, settings: Settings, table: Table, now_of: NowOf) -> tuple[bool, _Handing | None]:
    """Whether something was due, and the try that is now to be made, where one is."""
    async with pool.connection() as conn, conn.transaction():
        now = await now_of(conn)
        message = await sending_store.due(conn, now)
        if message is None:
            return False, None
        return True, await _settle(conn, settings, table, message, now)


async def _make(pool: Pool, settings: Settings, table: Table, now_of: NowOf, handing: _Handing) -> None:
    """Make a try, and keep how it went."""
    went = await _hand_over(settings, handing)
    async with pool.connection() as conn, conn.transaction():
        now = await now_of(conn)
        message = await sending_store.locked(conn, handing.message.id)
        await sending_store.finish(conn, handing.outgoing.attempt, went.outcome, now, went.why, went.ref)
        await push_store.note_devices(conn, handing.outgoing.attempt, went.devices, now)
        if message is not None:
            # What comes next is due at once, and is for whoever takes it: this was its one try.
            await _settle(conn, settings, table, message, now, may_begin=False)


async def _settle(
    conn: Connection, settings: Settings, table: Table, message: Message, now: datetime, *, may_begin: bool = True
) -> _Handing | None:
    """Bring a message to where its tries and receipts leave it; the next try, where one is to be made."""
    providers = table.get(message.channel) or (NoProvider(),)
    await sending_store.interrupt(conn, message.id, now)
    attempts = await sending_store.attempts(conn, message.id)
    following = decide(
        [(one.name, one.receipts) for one in providers], attempts, now, rules_for(settings, message.channel),
        unwanted=message.unwanted, blanked=message.blanked,
    )  # fmt: skip
    if not isinstance(following, Send):
        await _write_down(conn, settings, message, following, attempts, now)
        return None
    held = await _held(conn, message, now)
    if held is not None or not may_begin:
        await sending_store.set_state(conn, message.id, "pending", now, until=held or now)
        return None
    provider = next(one for one in providers if one.name == following.provider)
    deadline = now + 2 * timedelta(seconds=settings.message_try_s)
    attempt = await sending_store.begin(conn, message.id, provider.name, now, deadline)
    outgoing = Outgoing(
        attempt=attempt, key=message.key, channel=message.channel, to=message.recipient, body=message.body,
        contact=message.contact_id, again=_may_have_gone_through(attempts, provider.name),
        subscriptions=await push_store.subscriptions(conn, message.contact_id) if message.channel == "push" else (),
    )  # fmt: skip
    return _Handing(message, provider, outgoing)


async def _held(conn: Connection, message: Message, now: datetime) -> datetime | None:
    """Until when it waits, because it asks for nothing and it is night where it goes; None: it does not."""
    if message.purpose != information.PURPOSE or message.contact_id is None:
        return None
    return await information.held_until(conn, message.contact_id, now)


def _may_have_gone_through(attempts: list[Attempt], provider: str) -> bool:
    unknown = (Outcome.UNAVAILABLE, Outcome.INTERRUPTED)
    return any(one.provider == provider and one.outcome in unknown for one in attempts)


async def _write_down(
    conn: Connection, settings: Settings, message: Message, following: Next, attempts: list[Attempt], now: datetime
) -> None:
    if isinstance(following, End):
        await sending_store.set_state(
            conn, message.id, following.state, now, why=following.why, blank=not settings.demo
        )
        if following.tell:
            await _tell(conn, message, following.why, now)
        return
    assert not isinstance(following, Send)
    first_unheard = following.unheard and not message.unheard
    await sending_store.set_state(
        conn, message.id, following.state, now, until=following.until, unheard=following.unheard,
        why=attempts[-1].why if following.state == "pending" and attempts else "",
        blank=not following.may_resend and not settings.demo,
    )  # fmt: skip
    if first_unheard and following.tell:
        words = f"the {_WORDS[message.channel]} to {message.contact} has not been said to have arrived"
        await _log(conn, message, "note", {"text": words}, now)
    elif first_unheard and message.alert_id is not None:
        await store.publish_change(conn, message.alert_id, now)


_WORDS = {"sms": "text message", "email": "e-mail", "push": "push message", "voice": "call"}


async def _tell(conn: Connection, message: Message, why: str, now: datetime) -> None:
    """This channel has failed: the alert's log says so, and the contact's other channels are not waited for."""
    if message.contact_id is not None and message.alert_id is not None:
        await sending_store.hurry(conn, message, now)
    await _log(conn, message, "notify-failed", {"channel": message.channel, "why": why}, now)


async def _log(conn: Connection, message: Message, what: str, detail: dict[str, Any], now: datetime) -> None:
    """Into the log of every alert of which the message tells: one to somebody on call may tell of many."""
    if message.contact_id is not None:
        alerts, who = [message.alert_id] if message.alert_id is not None else [], "contact"
    else:
        alerts, who = await on_call_store.alerts_of(conn, message.id), "on_call"
    if alerts:
        entries = [(alert, "system", what, {who: message.contact} | detail) for alert in alerts]
        await taking_store.log_entries(conn, entries, now)
        await store.publish_changes(conn, alerts, now)


async def _hand_over(settings: Settings, handing: _Handing) -> _Went:
    """Give a message to the provider: how that went."""
    try:
        outgoing = _addressed(handing.outgoing, settings.phone_region)
        async with asyncio.timeout(settings.message_try_s):
            handed = await handing.provider.send(outgoing)
        return _Went(Outcome.ACCEPTED, ref=handed.ref, devices=handed.devices)
    except (ProviderUnavailable, TimeoutError) as problem:
        devices = problem.devices if isinstance(problem, NotHanded) else {}
        return _Went(Outcome.UNAVAILABLE, str(problem) or "no answer in time", devices=devices)
    except ProviderRefused as problem:
        return _Went(Outcome.REFUSED, str(problem), devices=problem.devices)
    except Exception as problem:
        # Whatever is wrong inside a provider, alarms go on being taken.
        event = {"event": "provider_failed", "provider": handing.provider.name, "why": type(problem).__name__}
        log.exception("provider failed", extra=event)
        return _Went(Outcome.UNAVAILABLE, f"the provider failed ({type(problem).__name__})")


def _addressed(outgoing: Outgoing, region: str) -> Outgoing:
    if outgoing.channel not in ("sms", "voice"):
        return outgoing
    try:
        number = e164(outgoing.to, region)
    except ValueError as problem:
        raise ProviderRefused(f"not a telephone number: {problem}") from None
    return replace(outgoing, to=number)
