"""What contacts do: they answer by the link of a message, by text message or with a key; late, twice, or not."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from alerts import asks, asks_store, receipts, replies, sending_store, telling
from alerts.providers import Outgoing
from alerts.replies import Reply
from telecare.db import Connection
from tests.simulation.moves_part import Part
from tests.simulation.people import LINK, Contact
from tests.simulation.telephones import REPORTS
from tests.simulation.world import Act

_YES = ("1", "yes", "Yes, 20 min", "1 15")
_NO = ("2", "no")
_NEITHER = ("who is this?", "yes I can but not before six", "12", "")
_STRANGER = "07700 900998"


class Contacts(Part):
    """Those who are asked."""

    async def reached(self, contact: Contact, message: Outgoing) -> None:
        """A message has reached a telephone: they answer now, late, twice, or not; some change their minds."""
        world, rng = self.world, self.rng
        found, rung = LINK.search(message.body), message.channel == "voice"
        if (found is None and not rung) or rng.random() > contact.answers:
            return
        for _ in range(1 + (rng.random() < 0.15)):
            goes = rng.random() < contact.goes
            wait = rng.expovariate(1 / 90.0) if rng.random() < 0.9 else rng.uniform(600, 40_000)
            if rung:
                world.after(rng.uniform(1, 20), "presses a key", partial(self._key, contact, message, goes))
            elif rng.random() < 0.4:
                world.after(wait, "writes", partial(self._text, contact.phone, goes))
            else:
                assert found is not None
                minutes = rng.choice((5, 10, 30, 30, 300)) if goes else None
                answer = partial(self.answer, found[1], "going" if goes else "cannot", minutes, contact)
                world.after(wait, "answers", answer)

    async def answer(self, token: str, given: Any, minutes: int | None, contact: Contact | None = None) -> None:
        """Somebody presses a button on the page of a link."""
        world = self.world

        async def press(conn: Connection, now: datetime) -> None:
            found = await asks_store.ask_by(conn, token_hash=telling.link_hash(token))
            if found is None:
                world.count("an answer with a token that is nobody's")
                return
            await asks.answer(conn, world.settings, found["id"], given, minutes, now)

        world.watch.answers.by = {contact.id} if contact is not None else set()
        await world.act("answer", *[press] * (1 + (world.rng.random() < 0.1)))

    async def forged_answer(self) -> None:
        await self.answer("AAAAAAAAAAAAAAAA", "going", 10)

    # ------------------------------------------------------------ by telephone

    async def stray_text(self) -> None:
        """Somebody writes whom nobody knows, or a contact who may have been asked nothing."""
        contact = self.rng.choice(list(self.world.by_contact.values()))
        number = _STRANGER if self.rng.random() < 0.5 or not contact.phone else contact.phone
        self.world.count("a text message from a stranger or unasked")
        await self._text(number, goes=True)

    async def _text(self, number: str, goes: bool) -> None:
        """They write a text message; the provider may pass it on more than once."""
        words = self.rng.choice(_NEITHER if self.rng.random() < 0.15 else _YES if goes else _NO)
        content = hashlib.sha256(f"text {self.world.next_number()}".encode()).digest()
        reply = Reply(REPORTS, "sms", number, words, content)

        async def take(conn: Connection, now: datetime) -> None:
            await replies.take_text(conn, self.world.settings, reply, now)

        who = {one.id for one in self.world.by_contact.values() if one.phone == number and words not in _NEITHER}
        await self._once_or_more("text", take, who)

    async def _key(self, contact: Contact, message: Outgoing, goes: bool) -> None:
        """They press a key in a call: the call is known by the try that it was."""
        key = self.rng.choice(("0", "#")) if self.rng.random() < 0.15 else "1" if goes else "2"
        number = self.world.next_number()
        content, arrived = (hashlib.sha256(f"{what} {number}".encode()).digest() for what in ("key", "arrived"))
        attempt: UUID = message.attempt

        async def take(conn: Connection, now: datetime) -> None:
            settings = self.world.settings
            for provider in (REPORTS, "second"):
                found = await sending_store.attempt_named(conn, provider, str(attempt), "")
                if found is not None:
                    await receipts.note(conn, settings, found, provider, "answered", None, arrived, now)
                    reply = Reply(provider, "voice", message.to, key, content)
                    await replies.take_key(conn, settings, reply, found.alert_id, found.contact_id, now)

        await self._once_or_more("key", take, {contact.id} if key in "12" else set())

    async def _once_or_more(self, name: str, take: Act, who: Collection[UUID]) -> None:
        """What is passed on again, at once or much later, answers nothing any more."""
        world, rng = self.world, self.rng
        twice = rng.random() < 0.1 * world.faults
        if twice:
            world.count("a reply that came twice")
        world.watch.answers.by = who
        if await world.act(name, *[take] * (1 + twice)) == "failed":
            world.after(5, name + " again", partial(self._once_or_more, name, take, who))
        elif rng.random() < 0.1 * world.faults:
            world.count("a reply that came again later")
            world.after(60 + rng.expovariate(1 / 300.0), name + " replayed", partial(self._replayed, name, take))

    async def _replayed(self, name: str, take: Act) -> None:
        self.world.watch.answers.by = set()  # it has been taken
        await self.world.act(name, take)
