"""Ringing those on call: the shell of alerts/on_call.py. What it writes into the outbox is sent by alerts/sending.py.

The ladder writes down with its step that somebody is to hear of it, and goes on; here that becomes text messages and
calls, at once. That one arrived is no answer: nothing but a claim ends the ladder.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts import long_texts, on_call, on_call_store, store, taking_store, texts
from alerts.on_call import Bundle, Need
from alerts.on_call_store import Text
from alerts.taking_store import Entry
from telecare.db import Connection
from telecare.register import on_call_now
from telecare.register.on_call_now import OnCall
from telecare.rota import DUTY_WORDS, Channel
from telecare.settings import Settings


async def step(conn: Connection, settings: Settings, now: datetime) -> bool:
    """Tell those on call what they are to hear of; False where nothing is to be said now. The caller's transaction.

    Of many engines one does it.
    """
    if not await on_call_store.lock(conn):
        return False
    await _look_at_room(conn, settings, now)
    needs = await on_call_store.open_needs(conn)
    if not needs:
        return False
    over, standing = [one.id for one in needs if not one.stands], [one for one in needs if one.stands]
    await on_call_store.end_needs(conn, over, "not-needed", now)
    people = await on_call_now.people(conn)
    last = await on_call_store.last_rung(conn, [one.phone for one in people])
    heard = await on_call_store.heard(conn, [one.id for one in standing])
    apart = timedelta(seconds=settings.on_call_apart_s)
    found = on_call.next_round(standing, people, heard, last, now, apart)
    texts_now = [text for one in found.bundles for text in _texts(settings, one, now)]
    await on_call_store.queue(conn, texts_now, "on-call", now)
    await on_call_store.end_needs(conn, found.told, "told", now)
    await on_call_store.end_needs(conn, [one.id for one in found.nobody], "nobody", now)
    await _write_down(conn, found, now)
    return bool(over or found.bundles or found.told or found.nobody)


async def _look_at_room(conn: Connection, settings: Settings, now: datetime) -> None:
    """Nobody can see an alert: that is told at once, whatever the ladder does."""
    room = await on_call_store.empty_room(conn)
    if room is None:
        return
    trouble, begun_at, told = room
    second = timedelta(seconds=settings.second_site_s - settings.supervisor_s)
    again = timedelta(seconds=settings.on_call_again_s)
    duties = on_call.of_empty_room(begun_at, told, now, max(second, timedelta()), again)
    await on_call_store.add_of_room(conn, trouble, duties, now)


def _texts(settings: Settings, one: Bundle, now: datetime) -> list[Text]:
    """What one person is sent: by every way there is, all at once."""
    news = on_call.news_of(one.needs, now)
    us = {"service": settings.service_name, "phone": settings.service_phone}
    short, spoken = texts.on_call_text(**us, news=news), long_texts.on_call_spoken(**us, news=news)
    needs = tuple(need.id for need in one.needs)
    return [
        Text(one.to.id, channel, address, spoken if channel is Channel.VOICE else short,
             f"on-call:{needs[0]}:{one.to.id}:{channel.value}", news.first, needs)
        for channel, address in _ways(one.to)
    ]  # fmt: skip


def _ways(one: OnCall) -> list[tuple[Channel, str]]:
    ways = ((Channel.SMS, one.phone), (Channel.VOICE, one.phone), (Channel.EMAIL, one.email))
    return [(channel, address) for channel, address in ways if address]


async def _write_down(conn: Connection, found: on_call.Round, now: datetime) -> None:
    """Into each alert's log: who was told, or that nobody could be."""
    names: dict[int, list[OnCall]] = {}
    of_alert: dict[int, Need] = {}
    for bundle in found.bundles:
        for need in bundle.needs:
            if need.alert_id is not None and bundle.to not in names.setdefault(need.alert_id, []):
                names[need.alert_id].append(bundle.to)
                of_alert[need.alert_id] = need
    entries: list[Entry] = [
        (alert, "system", "notified", {"on_call": _named(told), "text": "text message and call"})
        for alert, told in names.items()
    ]
    for need in found.nobody:
        if need.alert_id is not None:
            why = f"nobody is on call as {DUTY_WORDS[need.duty]} or otherwise: nobody could be told"
            entries.append((need.alert_id, "system", "notify-failed", {"on_call": "", "why": why}))
    await taking_store.log_entries(conn, entries, now)
    changed = list(dict.fromkeys(alert for alert, *_ in entries))
    if changed:
        await store.publish_changes(conn, changed, now)


def _named(told: Sequence[OnCall]) -> str:
    return ", ".join(f"{one.name} ({DUTY_WORDS[one.duty]})" for one in told)


# ---------------------------------------------------------------- tests


async def send_test(conn: Connection, settings: Settings, one: OnCall, at_local: datetime, now: datetime) -> bool:
    """Send somebody on call a test by every way; False where one was sent in the same minute."""
    short = texts.on_call_test_text(service=settings.service_name, name=one.name, at_local=at_local)
    spoken = long_texts.on_call_test_spoken(service=settings.service_name, name=one.name)
    bodies = [
        Text(one.id, channel, address, spoken if channel is Channel.VOICE else short,
             f"test:{one.id}:{now:%Y%m%d%H%M}:{channel.value}")
        for channel, address in _ways(one)
    ]  # fmt: skip
    return await on_call_store.queue(conn, bodies, "test", now) > 0
