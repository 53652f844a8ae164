"""What can happen to a message on its way to a telephone: providers that refuse, fail, hang, and say what they like."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from alerts.providers import Handed, Outgoing, ProviderRefused, ProviderUnavailable
from tests.simulation.broken import Broken
from tests.simulation.lines import Crash

if TYPE_CHECKING:
    from tests.simulation.world import World

REPORTS = "first"  # says afterwards what became of a message
QUIET_S = 60.0  # a call of which nothing is heard for so long goes by the other way as well


class Telephones:
    """The providers of messages: they take messages in silence, and deliver late or never."""

    def __init__(self, world: World) -> None:
        self.world = world
        both = (Provider(self, REPORTS, receipts=True), Provider(self, "second", receipts=False))
        self.table = dict.fromkeys(("sms", "voice", "email", "push"), both)
        self.away_until: datetime | None = None  # both
        self.taken: set[str] = set()  # messages that were ever taken
        self.accepted: dict[str, int] = {}  # by message that is under way: how often it was taken
        self.excused: dict[str, int] = {}  # how often taking it may look as if it had failed
        self._taken_at: dict[str, datetime] = {}
        self._last: str | None = None  # the message that was taken last

    def forget(self, key: str) -> None:
        """It is done with, until a late receipt says that it did not arrive."""
        for kept in (self.accepted, self.excused, self._taken_at):
            kept.pop(key, None)

    def excuse(self) -> None:
        """Whoever handed over the last message died before writing that down: it may come once more."""
        if self._last is not None:
            self.may_come_again(self._last)
            self._last = None

    def may_come_again(self, key: str) -> None:
        """The provider has said that it could not deliver it, or nobody knows."""
        self.excused[key] = self.excused.get(key, 0) + 1

    def accept(self, message: Outgoing) -> None:
        """It is on its way to a telephone."""
        world, rng, key = self.world, self.world.rng, message.key
        before = self._taken_at.get(key)
        if message.channel == "voice" and before and (world.now - before).total_seconds() >= QUIET_S:
            self.may_come_again(key)  # nothing was heard of it
        self._last, self._taken_at[key] = key, world.now
        self.taken.add(key)
        self.accepted[key] = self.accepted.get(key, 0) + 1
        contact = world.by_contact.get(message.contact)
        try:
            world.watch.messages.handed_over(key, contact, message.body)
        except Broken as broken:
            world.watch.broken = broken  # whoever called us takes any exception for a provider's
        if contact is None or rng.random() < 0.06:
            world.count("message never delivered")
            return
        late = timedelta(seconds=rng.uniform(2, 20))
        if rng.random() < 0.05:
            late = timedelta(minutes=rng.uniform(5, 600))
            world.count("message delivered late")
        world.at(world.now + late, "reads", lambda: world.moves.contacts.reached(contact, message))


class Provider:
    """One of them, as `alerts.providers.Provider`."""

    def __init__(self, telephones: Telephones, name: str, *, receipts: bool) -> None:
        self.telephones, self.name, self.receipts = telephones, name, receipts
        self.away_until: datetime | None = None

    async def send(self, message: Outgoing) -> Handed:
        """Take it, or not."""
        world = self.telephones.world
        if any(until is not None and world.now < until for until in (self.away_until, self.telephones.away_until)):
            world.count("provider away")
            raise ProviderUnavailable("503")
        chance = world.rng.random()
        self._fails(chance)
        self.telephones.accept(message)
        ref = f"ref-{world.next_number()}" if self.receipts else None
        if ref is not None:
            world.moves.receipts.will_report(message, ref)
        if chance < 0.07:
            self.telephones.excuse()
            world.count("provider took it and said nothing")
            raise TimeoutError
        if chance < 0.08:
            world.count("engine died with the message handed over")
            raise Crash("the message is with the provider")
        return Handed(ref=ref)

    def _fails(self, chance: float) -> None:
        """It does not take it, so many times in a hundred."""
        world = self.telephones.world
        if chance < 0.02:
            world.count("provider refused")
            raise ProviderRefused("not a telephone number")
        if chance < 0.04:
            world.count("provider failed")
            raise ProviderUnavailable("500") if world.rng.random() < 0.7 else ValueError("nonsense inside the provider")
        if chance < 0.05:
            self.away_until = world.now + timedelta(minutes=world.rng.randint(1, 240))
            world.count("provider away")
            raise ProviderUnavailable("503")
        if chance < 0.06:
            world.count("provider hung")
            raise TimeoutError
