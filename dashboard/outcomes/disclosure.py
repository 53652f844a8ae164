"""Which counts may be shown outside the control room, so that nobody can be recognised. Pure.

A count of 1 to 7 is hidden, others are shown to the nearest 5, none is shown as none. Where counts add up to a shown
total, a hidden one could be worked out by subtraction; so more are hidden, until even somebody who knew every shown
count exactly could not work a hidden one out. A share is shown only where both counts that it is made of are.

Source: the custom of England's hospital statistics (docs/commissioners.md).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

SMALL: Final = 7  # the largest count that is hidden
ENOUGH: Final = 8  # hidden counts of one sum must come to this much together, or each could be narrowed down
HIDDEN: Final = "[c]"  # confidential
NOT_APPLICABLE: Final = "[z]"


@dataclass(frozen=True, slots=True)
class Count:
    """A count, and the counts that it is the sum of."""

    name: str
    own: int = 0
    parts: tuple["Count", ...] = ()
    keep: bool = False  # if another may be hidden in its place, rather that one

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts) if self.parts else self.own

    def walk(self) -> Iterator["Count"]:
        """This count and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()


def hidden_of(total: Count) -> frozenset[str]:
    """The names of the counts that are not shown. Names are unique within a total."""
    hidden = {count.name for count in total.walk() if 1 <= count.size <= SMALL}
    while True:
        more = next((name for count in total.walk() if (name := _also(count, hidden, total))), None)
        if more is None:
            return frozenset(hidden)
        hidden.add(more)


def _also(count: Count, hidden: set[str], top: Count) -> str | None:
    """One more count that must be hidden because of this sum, or None where those that are suffice."""
    if not count.parts:
        return None
    unknown, shown = _unknowns(count, hidden)
    if count.name in hidden:
        if unknown or not shown:
            return None
        return min(shown, key=_rank).name  # else it would be the sum of what is shown
    if not unknown or (len(unknown) >= 2 and sum(part.size for part in unknown) >= ENOUGH):
        return None
    candidates = [part for part in shown if not part.keep] or [count] * (count is not top and not count.keep) or shown
    return min(candidates, key=_rank).name if candidates else count.name


def _unknowns(count: Count, hidden: set[str]) -> tuple[list[Count], list[Count]]:
    """What a sum leaves unknown, and what it shows; a hidden sum inside it is taken apart."""
    unknown, shown = list[Count](), list[Count]()
    for part in count.parts:
        if part.name not in hidden:
            shown += [part] * (part.size > 0)
        elif part.parts:
            inside = _unknowns(part, hidden)
            unknown += inside[0]
            shown += inside[1]
        else:
            unknown.append(part)
    return unknown, shown


def _rank(count: Count) -> tuple[bool, int]:
    """Which is hidden first: what need not be kept, the smallest."""
    return count.keep, count.size


def rounded(count: int) -> int:
    """To the nearest 5."""
    return 5 * round(count / 5)


@dataclass(frozen=True, slots=True)
class Part:
    """How many of a whole: of a month's alerts, those answered in time."""

    of: int
    count: int

    @property
    def is_small(self) -> bool:
        return any(1 <= n <= SMALL for n in (self.of, self.count, self.of - self.count))


def hidden_shares(parts: Sequence[Part]) -> tuple[frozenset[int], bool]:
    """Which of some shares are not shown, by place, and whether that of their sum is not shown either."""
    sum_of = Part(sum(part.of for part in parts), sum(part.count for part in parts))
    if sum_of.is_small:
        return frozenset(place for place, part in enumerate(parts) if part.of), True
    hidden = {place for place, part in enumerate(parts) if part.is_small}
    # Those with the fewest on their smaller side tell least.
    others = sorted(
        (place for place, part in enumerate(parts) if place not in hidden and part.of),
        key=lambda place: min(parts[place].count, parts[place].of - parts[place].count) or parts[place].of,
    )
    while hidden and not _hides(parts, hidden):
        if not others:
            return frozenset(hidden), True
        hidden.add(others.pop(0))
    return frozenset(hidden), False


def _hides(parts: Sequence[Part], hidden: set[int]) -> bool:
    """Whether these together leave each of them open, though the sum of all is known."""
    inside = [parts[place] for place in hidden]
    return len(inside) >= 2 and all(
        total == 0 or total >= ENOUGH
        for total in (sum(part.count for part in inside), sum(part.of - part.count for part in inside))
    )
