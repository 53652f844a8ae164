"""Whether every open alert is seen to in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.broken import DEADLINE, TOLD, TWICE, Broken
from tests.simulation.case import Case

if TYPE_CHECKING:
    from tests.simulation.watch import Watch

# Rule A10 and the welfare call, in seconds, as promised; not read from the settings.
LADDER = ((30, "re-sounded"), (60, "escalated-supervisor"), (120, "escalated-second-site"), (180, "breached"))
RUNGS = {what: offset for offset, what in LADDER}
SOUNDS = frozenset(RUNGS)
AGAIN_S, TECHNICAL_S = 30.0, 3600.0
# Rule A11: how long an alert that somebody has may be left alone, by where it stands.
ALONE_S = {"safe": 1800.0, "wrap-up": 1800.0, "watching": 600.0}
ALONE_ELSE_S = 120.0
SLACK_S = 2.0  # how late a step may be that was played


def sounds(watch: Watch, case: Case, at: float, who: str, what: str) -> None:
    """The log says that an alert sounds."""
    if case.owner is None and who == "system" and case.priority < 4:
        if what in case.rungs and what != "re-sounded":
            raise Broken(TWICE, f"alert {case.id}: {what} came twice", case.story)
        due = max(case.waiting + RUNGS[what], watch.world.up_since.timestamp())
        if what not in case.rungs and at > due + SLACK_S:
            raise Broken(TOLD, f"alert {case.id}: {what} came {at - due:.0f} s late", case.story)
    case.sounded = at
    case.rungs.add(what)


def judge(watch: Watch, case: Case, row: dict[str, Any], now: float, settled: bool) -> None:
    """One open alert."""
    name = f"alert {case.id}"
    if row["due"] is None and row["owner"] is None:
        raise Broken(DEADLINE, f"{name} has neither")
    if not settled:
        return
    if row["due"] is None or row["due"] <= now:
        raise Broken(DEADLINE, f"{name}: its deadline is {'none' if row['due'] is None else 'past'}")
    if case.owner is not None or row["priority"] == 4:
        _attended(watch, case, row, now)
    else:
        _unclaimed(case, now)


def _attended(watch: Watch, case: Case, row: dict[str, Any], now: float) -> None:
    most = TECHNICAL_S if row["priority"] == 4 else ALONE_S.get(row["state"], ALONE_ELSE_S)
    if now - case.last > most + SLACK_S and not watch.on_phone(case.id):
        words = f"alert {case.id} is {row['state']}, and nothing was said for {now - case.last:.0f} s"
        raise Broken(TOLD, words, case.story)


def _unclaimed(case: Case, now: float) -> None:
    name, waited = f"alert {case.id}", now - case.waiting
    for offset, rung in LADDER:
        if waited > offset + SLACK_S and rung not in case.rungs:
            raise Broken(TOLD, f"{name} has waited {waited:.0f} s without {rung}", case.story)
    if waited > LADDER[-1][0] + SLACK_S:
        if now - case.sounded > AGAIN_S + SLACK_S:
            raise Broken(TOLD, f"{name} has been silent for {now - case.sounded:.0f} s", case.story)
        if not case.said & {"notified", "notify-failed"} and not case.key.startswith("incident:"):
            raise Broken(TOLD, f"{name} is a breach, and no contact was asked, nor was it said why not", case.story)
