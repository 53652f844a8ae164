"""An alert as its log tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.simulation.broken import DOUBLE, Broken

STAFF_ENDS = frozenset({"refused", "reported", "cancelled", "left"})  # a visit that is no help any more


@dataclass(slots=True)
class Case:
    """An alert as its log tells it."""

    id: int
    key: str = ""
    raised: float = 0.0
    waiting: float = 0.0
    rungs: set[str] = field(default_factory=set)
    owner: str | None = None
    claimed: float = 0.0  # by its owner
    closed: bool = False
    safe: bool = False
    wrapped_up: bool = False
    reviewed: bool = False
    visits: dict[str, str] = field(default_factory=dict)  # by id, each with its last step
    services: dict[str, bool] = field(default_factory=dict)  # emergency calls; True: has ended
    last: float = 0.0  # the last word of anybody
    sounded: float = 0.0
    said: set[str] = field(default_factory=set)  # every word of the log that was ever used
    tried: bool = False  # somebody has tried to reach the person
    story: list[str] = field(default_factory=list)  # the last of its log, for whoever looks for the cause
    passed: bool = False  # somebody was passed on from, and nothing has been said about what then
    priority: int = 2
    alarms: int = 0

    def state(self, asks: list[dict[str, Any]], on_phone: bool) -> str:
        """Where it stands, by the log and by who was asked."""
        if self.closed:
            return "reviewed" if self.reviewed else "closed"
        if self.owner is None:
            return "raised"
        if self.safe:
            return "wrap-up" if self.wrapped_up else "safe"
        help_is = {
            "asked" if state == "requested" else "coming" for state in self.visits.values() if state not in STAFF_ENDS
        }
        help_is |= {"coming" for ended in self.services.values() if not ended}
        help_is |= {
            "coming" if k["answer"] == "going" else "asked"
            for k in asks
            if not k["over"] and (k["by"] or (k["answer"] == "going" and not k["late"]))
        }
        if help_is:
            return "acting" if "asked" in help_is else "watching"
        if "assessed" in self.said:
            return "assessed"
        return "contacting" if self.tried or on_phone else "claimed"

    def fold(self, at: float, who: str, what: str, detail: dict[str, Any]) -> None:
        """The log says this next."""
        words = f"alert {self.id}: {what} by {who}, while {self.owner} has it"
        tried = what == "contact-tried" and who == "system" and "line" not in detail
        self.passed = tried and "no answer" in str(detail.get("text")) and not self.safe
        if what == "claimed":
            if self.owner is not None or self.closed:
                raise Broken(DOUBLE, words)
            self.owner, self.claimed = who, at
        elif what == "taken-over":
            if self.owner is None or self.owner != detail["from"] or self.owner == who:
                raise Broken(DOUBLE, words)
            self.owner, self.claimed = who, at
        elif what in ("released", "claim-expired"):
            if self.owner is None:
                raise Broken(DOUBLE, words)
            self.owner, self.waiting, self.rungs = None, at, set()
        elif what == "closed":
            if who != "system" and self.owner != who:
                raise Broken(DOUBLE, words)
            self.closed = True
        else:
            self._fold_more(who, what, detail)

    def _fold_more(self, who: str, what: str, detail: dict[str, Any]) -> None:
        if what == "safe":
            self.safe = True
        elif what == "wrapped-up":
            self.wrapped_up = True
        elif what == "reviewed":
            self.reviewed = True
        elif what in ("alarm-joined", "repeated") and who == "device":
            self.safe = self.wrapped_up = False  # who calls again is not safe
        elif what in ("contact-tried", "contact-answered") and (who not in ("system", "contact") or "line" in detail):
            self.tried = True
        elif what == "dispatched":
            self.visits[detail["visit"]] = "requested"
        elif what == "visit" and "state" in detail:
            self.visits[detail["visit"]] = detail["state"]
        elif what == "emergency-service" and "call" in detail:
            self.services[detail["call"]] = detail.get("news") in ("attended", "conveyed", "stood-down")
