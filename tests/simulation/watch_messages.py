"""Whether each message is handed over once, to somebody who may be written to then, with the right time in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.simulation.broken import CLOCK, DECEASED, MESSAGE, QUIET, Broken
from tests.simulation.people import AT, ZONE, Contact

if TYPE_CHECKING:
    from tests.simulation.watch import Watch


class Messages:
    """Those that are under way."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.unfinished: dict[str, dict[str, Any]] = {}

    def find(self) -> None:
        """What has become of them."""
        given = self.watch.world.telephones
        for message in self.watch.seen.messages:
            number = message["id"]
            if message["state"] in ("sent", "delivered") and number not in given.taken:
                raise Broken(MESSAGE, f"a message counts as sent that nobody was given: {message}")
            if message["next"] is not None:
                self.unfinished[number] = message
            else:
                self.unfinished.pop(number, None)
                given.forget(number)
        if self.unfinished.keys() - {message["id"] for message in self.watch.seen.messages}:
            raise Broken(MESSAGE, "a message has gone")

    def judge(self, now: float, settled: bool) -> None:
        """None stands still, and none is sent more often than is excused."""
        if settled and any(message["next"] <= now for message in self.unfinished.values()):
            raise Broken(MESSAGE, "a message stands still")
        given = self.watch.world.telephones
        for number, times in given.accepted.items():
            if times > 1 + given.excused.get(number, 0):
                raise Broken(MESSAGE, f"a message was handed over {times} times")

    def handed_over(self, message_id: str, contact: Contact | None, body: str) -> None:
        """The provider has taken a message."""
        if contact is None:
            raise Broken(MESSAGE, "a message went to a number that is nobody's")
        if contact.person.stopped:
            raise Broken(
                DECEASED, f"person {contact.person.number} is stopped, and contact {contact.number} is written to"
            )
        message = self.unfinished.get(message_id)
        # Who is asked by day is told at night how it ended; what counts is when it was decided.
        at = message["created"] if message is not None and message["purpose"] in ("ask", "next") else None
        local = datetime.fromtimestamp(at, UTC).astimezone(ZONE) if at is not None else None
        if local is not None and not contact.at_night and (local.hour >= 22 or local.hour < 7):
            raise Broken(QUIET, f"contact {contact.number} is written to at {local:%H:%M}")
        said = AT.search(body)
        case = self.watch.cases.get(message["alert"]) if message is not None and message["alert"] else None
        if said and case is not None:
            raised = datetime.fromtimestamp(case.raised, UTC).astimezone(ZONE)
            if said[1] != f"{raised:%H:%M}":
                raise Broken(CLOCK, f"it was {raised:%H:%M} and the message says {said[1]}")
