"""What happens next to a message: which provider takes it, what is waited for, or how it has ended. Pure.

The rules: an error or a refusal goes to the other provider at once; so does a call or a push of which nothing is heard
in 60 s. A provider that has just failed rests before it is asked again. After three tries it has failed. A receipt says
only that a message arrived: it is never an answer. A push that no device shows is no failure: the device may be off,
beside a telephone that has rung (docs/decisions/0025-web-push.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """How a try ended, as far as we know."""

    ACCEPTED = "accepted"  # the provider has it
    UNAVAILABLE = "unavailable"  # an error, or no answer in time
    REFUSED = "refused"  # this provider will never take it
    INTERRUPTED = "interrupted"  # our engine died over it: nobody knows


class Receipt(StrEnum):
    """What the provider last said about a message that it has taken."""

    UNDER_WAY = "under-way"
    DELIVERED = "delivered"
    TEMPORARY_FAILURE = "temporary-failure"
    TECHNICAL_FAILURE = "technical-failure"
    PERMANENT_FAILURE = "permanent-failure"


FAILURES: Final = frozenset({Receipt.TEMPORARY_FAILURE, Receipt.TECHNICAL_FAILURE, Receipt.PERMANENT_FAILURE})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try."""

    provider: str
    begun_at: datetime
    deadline: datetime
    outcome: Outcome | None = None  # None: under way
    ended_at: datetime | None = None
    receipt: Receipt | None = None
    why: str = ""

    @property
    def in_force(self) -> bool:
        """Whether the provider has the message, and has not said that it failed."""
        return self.outcome is Outcome.ACCEPTED and self.receipt not in FAILURES


@dataclass(frozen=True, slots=True)
class Rules:
    """How long and how often, for one channel."""

    tries: int = 3
    rest: timedelta = timedelta(seconds=10)  # of a provider that has failed, before it is asked again
    switch_after: timedelta | None = None  # no receipt for so long: the other provider. None: only failures switch
    lives: timedelta | None = None  # without another: it may still arrive for so long, and not afterwards. None: a call
    fresh: timedelta = timedelta(seconds=300)  # no receipt for so long: a person is told, and it is not sent again
    give_up: timedelta = timedelta(hours=72)  # no receipt for so long: it has never been delivered


@dataclass(frozen=True, slots=True)
class Send:
    """Hand it to this provider now."""

    provider: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until then."""

    state: str
    until: datetime
    may_resend: bool = True  # the text, with its link, is still needed
    unheard: bool = False  # no receipt has come in time
    tell: bool = False  # a person must know that


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more will be done."""

    state: str
    why: str = ""
    tell: bool = False  # a person must know


Next = Send | Wait | End


def decide(
    providers: Sequence[tuple[str, bool]],
    attempts: Sequence[Attempt],
    now: datetime,
    rules: Rules,
    *,
    unwanted: str = "",
    blanked: bool = False,
) -> Next:
    """What happens next. `providers` are names in their order, each with whether it gives receipts; `attempts` in the
    order of their beginning; `unwanted` says why the message is no longer to be sent; a `blanked` one has lost its
    link and cannot be sent again.
    """
    if any(attempt.receipt is Receipt.DELIVERED for attempt in attempts):
        return End("delivered")
    last = attempts[-1] if attempts else None
    if last is not None and last.outcome is None and now < last.deadline:
        return Wait("sending", last.deadline)
    may_send = not unwanted and not blanked and len(attempts) < rules.tries and _is_fresh(attempts, now, rules)
    following = _next_provider(providers, attempts) if may_send else None
    taken = next((attempt for attempt in reversed(attempts) if attempt.in_force), None)
    if taken is not None:
        waiting = _await_receipt(taken, taken is last, following, dict(providers), now, rules, may_send)
        if waiting is not None:
            return waiting
    if following is None:
        return End("stale", unwanted) if unwanted else End("failed", _why(last), tell=True)
    ready = max((_ended(one) + rules.rest for one in attempts if one.provider == following), default=now)
    return Send(following) if ready <= now else Wait("pending", ready)


def _await_receipt(
    taken: Attempt,
    newest: bool,
    following: str | None,
    reports: Mapping[str, bool],
    now: datetime,
    rules: Rules,
    may_send: bool,
) -> Wait | End | None:
    """A provider has the message: how long its word is waited for. None: no longer; the other provider is asked."""
    gives_receipts = reports.get(taken.provider, False)
    if rules.switch_after is not None and following is not None:
        quiet_until = _ended(taken) + rules.switch_after
        return Wait("sent", quiet_until) if newest and now < quiet_until else None
    if not gives_receipts:
        return End("sent")
    if rules.switch_after is not None:
        quiet_until = _ended(taken) + rules.switch_after
        if now < quiet_until:
            return Wait("sent", quiet_until, may_send)
        if rules.lives is None:
            return End("stale", _NEVER, tell=True)
        gone_at = _ended(taken) + rules.lives
        return Wait("sent", gone_at, False, unheard=True) if now < gone_at else End("stale", _NEVER)
    fresh_until, over = _ended(taken) + rules.fresh, _ended(taken) + rules.give_up
    if now < fresh_until:
        return Wait("sent", fresh_until, may_send)
    # A text message may stay on its way for days.
    waiting = Wait("sent", over, False, unheard=True, tell=True)
    return waiting if now < over else End("stale", _NEVER, tell=True)


def _is_fresh(attempts: Sequence[Attempt], now: datetime, rules: Rules) -> bool:
    """Whether it is still worth while to send again what a provider has once taken."""
    return all(now < _ended(one) + rules.fresh for one in attempts if one.outcome is Outcome.ACCEPTED)


def _ended(attempt: Attempt) -> datetime:
    return attempt.ended_at or attempt.deadline


def _next_provider(providers: Sequence[tuple[str, bool]], attempts: Sequence[Attempt]) -> str | None:
    """The one that has been tried least, the first of these; none that refused, nor one that has the message."""
    out = {
        one.provider
        for one in attempts
        if one.outcome is Outcome.REFUSED or one.receipt is Receipt.PERMANENT_FAILURE or one.in_force
    }
    left = [name for name, _ in providers if name not in out]
    return min(left, key=lambda name: sum(one.provider == name for one in attempts), default=None)


def _why(last: Attempt | None) -> str:
    if last is None:
        return "no message provider is configured"
    if last.receipt in FAILURES:
        return f"{last.provider} took it and could not deliver it ({last.receipt})"
    return last.why or "no answer in time"


_NEVER: Final = "a provider took it and never said that it arrived"
