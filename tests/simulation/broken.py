"""What must hold, by name, and that something of it does not."""

from collections.abc import Sequence

DEADLINE = "an open alert has a deadline ahead of it, or an owner"
TOLD = "no alert is past its time with nobody told"
DOUBLE = "nobody claims what another has"
TWICE = "no step of the ladder comes twice"
QUIET = "no message in quiet hours unless the policy says so"
DECEASED = "nobody is written to about somebody who has died or left"
PLACE = "every press is in exactly one alert, its own"
LOG = "the log explains every state"
MESSAGE = "a message is handed over once, and none is lost"
ASKED = "who is asked is passed on from, and told how it ended"
CLOCK = "a time of day is the council's"
ANSWER = "an answer counts once, and only what was answered counts"
RECEIPT = "a receipt changes no alert, and answers nothing"
LEASE = "who has no screen any more has no alert for long, and who has one keeps it"
ERROR = "nothing fails that need not"


class Broken(AssertionError):
    """An invariant does not hold. `story` is the last of the log of the alert that it is about."""

    def __init__(self, invariant: str, words: str, story: Sequence[str] = ()) -> None:
        super().__init__(f"{invariant}: {words}" + "".join(f"\n    {line}" for line in story))
        self.invariant, self.words = invariant, words
