"""Whether who has no screen any more loses their alerts in time, and nobody else does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.broken import LEASE, Broken
from tests.simulation.case import Case
from tests.simulation.watch_time import SLACK_S

if TYPE_CHECKING:
    from tests.simulation.world import World

LEASE_S = 30.0  # rule A9, as promised; not read from the settings


def end_of(world: World, case: Case) -> float | None:
    """When somebody's alert is to be put back, because their screen is lost; None: it is not."""
    screens = world.screens
    if case.owner is None or case.closed or not screens.works:
        return None
    lost = screens.lost.get(case.owner)
    if lost is None or lost <= case.claimed - LEASE_S:
        return None  # there is a screen, or there was none when it was claimed: a page without script
    return max(lost, case.claimed, screens.well_since) + LEASE_S


def ends(world: World) -> list[float]:
    """When the engines have a lease to look at, that they have not looked at since."""
    if not world.screens.lost:
        return []
    found = [end for case in world.watch.cases.values() if (end := end_of(world, case)) is not None]
    return [end for end in found if end >= world.screens.judged]


def expired(world: World, case: Case, at: float, detail: dict[str, Any]) -> None:
    """The log says that a claim has run out."""
    words = f"alert {case.id} is taken from {case.owner}"
    lost = world.screens.lost.get(case.owner or "")
    if lost is None:
        raise Broken(LEASE, f"{words}, whose screen is there", case.story)
    since = max(lost, case.claimed, world.screens.well_since)
    if at < since + LEASE_S:
        raise Broken(LEASE, f"{words} {at - since:.0f} s after their screen was lost", case.story)
    if detail.get("was_with") != (case.owner or "").title():
        raise Broken(LEASE, f"{words}, and the log says that {detail.get('was_with')} had it", case.story)


def judge(world: World, case: Case, now: float) -> None:
    """One open alert, where the engines have nothing left to do."""
    end = end_of(world, case)
    if end is not None and now > end + SLACK_S:
        words = f"alert {case.id} is {case.owner}'s, who has had no screen for {now - end + LEASE_S:.0f} s"
        raise Broken(LEASE, words, case.story)
