"""The lease of a claim: who has an alert has it for as long as one of their screens is connected (PRACTICE A9).

A screen that is lost for the lease's time gives everything that its operator has back to the queue, whatever help is
under way: nobody is left with whom the person could speak. Why each rule is as it is: docs/decisions/0022.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto


class Verdict(Enum):
    """What becomes of a claim."""

    KEEP = auto()
    EXPIRED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim, and when any screen of its owner was last seen (None: no screen is known)."""

    owner: str
    claimed_at: datetime
    last_seen: datetime | None


def judge(claim: Claim, working_since: datetime | None, now: datetime, lease: timedelta) -> Verdict:
    """Whether a claim still stands.

    `working_since` is since when the dashboards have worked without a break; None where none works now. It is then we
    who see no screen, and nothing ends; afterwards each screen has the whole lease anew.
    """
    if working_since is None or not has_lease(claim, lease):
        return Verdict.KEEP
    assert claim.last_seen is not None
    ends_at = max(claim.last_seen, claim.claimed_at, working_since) + lease
    return Verdict.EXPIRED if now > ends_at else Verdict.KEEP


def has_lease(claim: Claim, lease: timedelta) -> bool:
    """Whether a claim hangs on a screen: a program's does not, nor that of somebody whose pages have no script."""
    return claim.last_seen is not None and claim.last_seen > claim.claimed_at - lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Screens:
    """Whether anybody is there to see an alert."""

    last_seen: datetime | None  # any screen of an operator or supervisor; None: there never was one
    open_since: datetime | None  # since when an alert of level 1 to 3 has been open
    working_since: datetime | None  # since when the dashboards have worked without a break
