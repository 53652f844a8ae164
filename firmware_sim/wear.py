"""Whether the pendant is worn, and whether its accelerometer can be believed.

A streaming pure function in whole numbers, beside the trigger: it looks at ten seconds at a time.
"""

from typing import Final, Literal, NamedTuple

from firmware_sim.trigger import LEAST_MEAN_MG, MOST_MEAN_MG, Sample

PERIOD_MS: Final = 10_000
LEAST_SAMPLES: Final = 50  # a period with less than 5 a second says nothing
STILL_MG: Final = 50  # an axis that moves less: the noise of a cheap part (4 mg RMS), and a sleeper's breath
TAKEN_OFF: Final = 180  # periods: after half an hour without any movement it lies somewhere; sleepers turn more often
QUIET_MG: Final = 150  # an axis that moves less shows gravity alone, ...
REST_MG: Final = (800, 1200)  # ... which is 1000
STUCK_MG: Final = 500  # an axis that shows the same number while another moves so much is dead
BAD_IN_A_ROW: Final = 3  # periods, before it is said
# In C: 16 numbers of 32 bits.
STATE_BYTES: Final = 16 * 4


class Worn(NamedTuple):
    """The pendant was put on, or has lain still too long to be on anybody."""

    worn: bool


class Fault(NamedTuple):
    """The accelerometer cannot be believed: falls are not noticed until it is exchanged."""

    fault: Literal["accelerometer-scale", "accelerometer-axis"]


class WearState(NamedTuple):
    """All that is remembered."""

    begun: int | None = None  # when this period began, ms
    samples: int = 0
    squares: int = 0  # the sum of the squared lengths
    least: tuple[int, int, int] = (0, 0, 0)
    most: tuple[int, int, int] = (0, 0, 0)
    still: int = 0  # periods without movement
    bad: int = 0  # periods that cannot be
    worn: bool = True
    faulty: bool = False


def step(state: WearState, one: Sample) -> tuple[WearState, Worn | Fault | None]:
    """Take one sample. Gaps and clocks that jump begin a new period."""
    t, x, y, z = one
    begun, samples, squares, least, most = state[:5]
    if begun is None or not 0 <= t - begun < 2 * PERIOD_MS:
        return _fresh(state, one), None
    if t - begun >= PERIOD_MS:
        state, said = _over(state)
        return _fresh(state, one), said
    if x < least[0] or y < least[1] or z < least[2]:
        least = (min(x, least[0]), min(y, least[1]), min(z, least[2]))
    if x > most[0] or y > most[1] or z > most[2]:
        most = (max(x, most[0]), max(y, most[1]), max(z, most[2]))
    return WearState(begun, samples + 1, squares + x * x + y * y + z * z, least, most, *state[5:]), None


def _fresh(state: WearState, one: Sample) -> WearState:
    t, x, y, z = one
    at = (x, y, z)
    return WearState(t, 1, x * x + y * y + z * z, at, at, state.still, state.bad, state.worn, state.faulty)


def _over(state: WearState) -> tuple[WearState, Worn | Fault | None]:
    if state.samples < LEAST_SAMPLES:
        return state, None
    moves = [most - least for least, most in zip(state.least, state.most, strict=True)]
    fault = _fault(state, moves)
    still = state.still + 1 if max(moves) < STILL_MG else 0
    bad = state.bad + 1 if fault else 0
    worn = still < TAKEN_OFF if still else True
    said: Worn | Fault | None = Worn(worn) if worn != state.worn else None
    faulty = state.faulty
    if fault and bad >= BAD_IN_A_ROW and not faulty:
        said, worn, faulty = Fault(fault), state.worn, True
    elif not fault:
        faulty = False
    return state._replace(still=still, bad=bad, worn=worn, faulty=faulty), said


def _fault(state: WearState, moves: list[int]) -> Literal["accelerometer-scale", "accelerometer-axis"] | None:
    square = state.squares // state.samples
    low, high = REST_MG if max(moves) < QUIET_MG else (LEAST_MEAN_MG, MOST_MEAN_MG)
    if not low * low <= square <= high * high:
        return "accelerometer-scale"
    return "accelerometer-axis" if min(moves) == 0 and max(moves) >= STUCK_MG else None
