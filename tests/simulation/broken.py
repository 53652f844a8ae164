"""That something which must hold does not."""

from collections.abc import Sequence


class Broken(AssertionError):
    """An invariant does not hold. `story` is the last of the log of the alert that it is about."""

    def __init__(self, invariant: str, words: str, story: Sequence[str] = ()) -> None:
        super().__init__(f"{invariant}: {words}" + "".join(f"\n    {line}" for line in story))
        self.invariant, self.words = invariant, words
