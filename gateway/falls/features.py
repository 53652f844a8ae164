"""What the model looks at in a window: lengths, angles between directions, and rhythm.

Nothing depends on how the pendant hangs (only lengths and angles between its own directions are used), little on the
sampling rate (all is of moments of 40 ms) and on the range (what counts moments above a length that a range of ±2 g
still shows stands beside the largest length). All functions take many windows at once, (n, 150, 4) in g with NaN where
there were no samples, and give NaN where there is too little to say something: the model knows what to do with that.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from gateway.falls.window import IMPACT, MOMENT_S, MOMENTS, Floats

Columns = dict[str, Floats]

# Where things happen, in moments from the impact: [from, to).
BEFORE: Final = (-62, -25)  # standing, walking: 2.5 to 1 s before
FALLING: Final = (-30, 1)
NEAR: Final = (-12, 13)  # half a second on either side
AFTER: Final = (45, 88)  # 1.8 to 3.5 s after: lying, or walking on
SEGMENTS: Final = {
    "before_2": (-62, -37),
    "before_1": (-37, -12),
    "near": NEAR,
    "after_1": (13, 38),
    "after_2": (38, 63),
    "after_3": (63, 88),
}
LEAST: Final = 5  # moments in which a mean is worth the name
STEP_LAGS: Final = range(7, 32)  # moments: steps come every 0.3 to 1.2 s
LEAST_GRAVITY_G: Final = 0.2  # a mean shorter than this has no direction
_NO_MOTION_G: Final = 0.01  # added to a quotient of movements, so that rest divided by rest is not noise


@dataclass(frozen=True, slots=True)
class _Seen:
    """Windows, with what several groups of features need."""

    vectors: Floats  # (n, MOMENTS, 3)
    peaks: Floats  # (n, MOMENTS): the largest length within the moment
    lengths: Floats  # (n, MOMENTS): the length of the mean
    steps: Floats  # (n, MOMENTS): how far each moment's mean is from the one before
    before: Floats  # (n, 3): the mean direction before
    after: Floats  # (n, 3): ... and after


def features(windows: Floats) -> Columns:
    """Every feature of every window, by its name."""
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = _look(windows)
        return {**_blow(seen), **_drop(seen), **_movement(seen), **_posture(seen), **_rhythm(seen), **_device(seen)}


def _look(windows: Floats) -> _Seen:
    vectors = windows[:, :, :3]
    later = _mean(vectors, AFTER)
    after = np.where(np.isfinite(later), later, _mean(vectors, (20, 45)))
    steps = np.linalg.norm(np.diff(vectors, axis=1, prepend=vectors[:, :1]), axis=2)
    return _Seen(vectors, windows[:, :, 3], np.linalg.norm(vectors, axis=2), steps, _mean(vectors, BEFORE), after)


# ---------------------------------------------------------------- the groups


def _blow(seen: _Seen) -> Columns:
    """How hard it was, and whether it was the only one."""
    near, largest = _part(seen.lengths, NEAR), seen.lengths[:, IMPACT]
    afterwards = _most(seen.lengths, (26, 88)) / largest
    earlier = _most(seen.lengths, BEFORE) / largest
    return {
        "blow_peak": _most(seen.peaks, (-3, 4)),
        "blow_length": largest,
        "blow_over_12": _count(near > 1.2),
        "blow_over_15": _count(near > 1.5),
        "blow_over_20": _count(near > 2.0),
        "blow_impulse": np.nansum(np.clip(_part(seen.lengths, (-12, 26)) - 1, 0, None), axis=1),
        "blow_jerk": _most(seen.steps, NEAR),
        "blow_other": np.fmax(afterwards, earlier),
        "blow_other_after": afterwards,
    }


def _drop(seen: _Seen) -> Columns:
    """The fall itself: weight less than one's own, and speed downwards."""
    falling = _part(seen.lengths, FALLING)
    gravity = _unit(_smooth(seen.vectors, 38))
    upward = np.einsum("nmk,nmk->nm", seen.vectors, gravity) - 1
    speed = np.nancumsum(_part(upward, (-37, 26)), axis=1) * MOMENT_S
    weightless = np.nancumsum(falling - 1, axis=1) * MOMENT_S
    return {
        "drop_least": _least(seen.lengths, FALLING),
        "drop_least_before": _least(seen.lengths, (-62, -30)),
        "drop_moments": _count(falling < 0.75),
        "drop_depth": np.nansum(np.clip(1 - falling, 0, None), axis=1),
        "drop_speed": speed.min(axis=1),
        "drop_speed_range": speed.max(axis=1) - speed.min(axis=1),
        "drop_weightless": weightless.min(axis=1),
    }


def _movement(seen: _Seen) -> Columns:
    """How much somebody moves before and after."""
    found: Columns = {}
    for name, place in SEGMENTS.items():
        enough = np.isfinite(_part(seen.lengths, place)).sum(axis=1) > LEAST
        vectors = _part(seen.vectors, place)
        around = vectors - _mean(seen.vectors, place)[:, None, :]
        found[f"moves_{name}"] = np.where(enough, np.sqrt(_average((around**2).sum(axis=2))), np.nan)
        found[f"shakes_{name}"] = np.where(enough, np.sqrt(_average(_part(seen.steps, place) ** 2)), np.nan)
        found[f"swings_{name}"] = np.where(enough, _spread(_part(seen.lengths, place)), np.nan)
        found[f"most_{name}"] = np.where(enough, _most(seen.lengths, place), np.nan)
    for kind in ("moves", "shakes"):
        rest = np.fmin.reduce([found[f"{kind}_after_{part}"] for part in (1, 2, 3)])
        before = np.fmax(np.fmax(found[f"{kind}_before_1"], found[f"{kind}_before_2"]), _NO_MOTION_G)
        before = np.where(np.isfinite(before), before, _NO_MOTION_G)
        found[f"{kind}_rest"] = rest
        found[f"{kind}_rest_to_before"] = np.log((rest + _NO_MOTION_G) / (before + _NO_MOTION_G))
    found["blow_crest"] = _most(seen.peaks, (-3, 4)) / np.fmax(found["moves_near"], 0.05)
    return found


def _posture(seen: _Seen) -> Columns:
    """How the direction of gravity turned, in degrees; how fast, and whether it turned back."""
    soon = _mean(seen.vectors, (20, 45))
    falling_from = _mean(seen.vectors, (-30, -12))
    course = _unit(_smooth(seen.vectors, 11))
    from_before = _degrees(np.einsum("nmk,nk->nm", course, _unit(seen.before)))
    most = _most(from_before, (-12, 63))
    end = _angle(seen.before, seen.after)
    pace = np.linalg.norm(course[:, 6:] - course[:, :-6], axis=2)  # how far the direction goes in 0.24 s
    pace = np.concatenate([np.full((len(pace), 6), np.nan), pace], axis=1)
    path = np.linalg.norm(np.diff(_part(course, (-30, 40)), axis=1), axis=2)
    return {
        "turn_soon": _angle(seen.before, soon),
        "turn_end": end,
        "turn_from_falling": _angle(falling_from, seen.after),
        "turn_lying": _angle(soon, _mean(seen.vectors, AFTER)),
        "turn_before": _angle(seen.before, falling_from),
        "turn_most": most,
        "turn_back": most - end,
        "turn_pace": _most(pace, (-25, 25)),
        "turn_pace_before": _most(pace, (-56, -25)),
        "turn_pace_after": _most(pace, (25, 88)),
        "turn_path": np.nansum(path, axis=1),
    }


def _rhythm(seen: _Seen) -> Columns:
    """Steps: the same again and again, and how many."""
    middle = seen.lengths[:, 1:-1]
    crests = (middle > seen.lengths[:, :-2]) & (middle >= seen.lengths[:, 2:]) & (middle > 1.25)
    return {
        "rhythm": _repeats(seen.lengths),
        "rhythm_before": _repeats(_part(seen.lengths, (-62, -5))),
        "rhythm_after": _repeats(_part(seen.lengths, (13, 88))),
        "steps_before": _count(crests[:, : IMPACT - 13]),
        "steps_after": _count(crests[:, IMPACT + 12 :]),
    }


def _device(seen: _Seen) -> Columns:
    """What says something about the device and its range, which the other features lean on."""
    axes = np.abs(seen.vectors)
    top = _nan_max(axes.reshape(len(axes), 3 * MOMENTS))
    near = _part(seen.vectors, NEAR)
    around = np.nan_to_num(near - _mean(seen.vectors, NEAR)[:, None, :])
    spread = np.linalg.eigvalsh(np.einsum("nmk,nml->nkl", around, around))
    flat = _part(axes, NEAR).max(axis=2)
    return {
        "one_line": spread[:, 2] / np.fmax(spread.sum(axis=1), 1e-6),
        "at_the_top": _count(flat > 0.97 * top[:, None]),
        "mean_length": _average(seen.lengths),
        "middle_length": _median(seen.lengths),
        "gravity_after": np.linalg.norm(seen.after, axis=1),
    }


# ---------------------------------------------------------------- arithmetic with gaps


def _part(values: Floats, place: tuple[int, int]) -> Floats:
    return values[:, IMPACT + place[0] : IMPACT + place[1]]


def _average(values: Floats) -> Floats:
    """The mean over the moments; NaN where there are none."""
    there = np.isfinite(values)
    found: Floats = np.where(there, values, 0.0).sum(axis=1) / np.where(there.any(axis=1), there.sum(axis=1), np.nan)
    return found


def _spread(values: Floats) -> Floats:
    return np.sqrt(_average((values - _average(values)[:, None]) ** 2))


def _median(values: Floats) -> Floats:
    """The middle one of those that are there."""
    ordered = np.sort(values, axis=1)  # NaN comes last
    count = np.isfinite(values).sum(axis=1)
    found: Floats = ordered[np.arange(len(values)), np.maximum(count - 1, 0) // 2]
    return found


def _mean(vectors: Floats, place: tuple[int, int]) -> Floats:
    """The mean vector over a place; NaN where fewer than `LEAST` moments are there."""
    part = _part(vectors, place)
    count = np.isfinite(part[:, :, 0]).sum(axis=1)
    found: Floats = np.nansum(part, axis=1) / np.where(count >= LEAST, count, np.nan)[:, None]
    return found


def _nan_max(values: Floats) -> Floats:
    found = np.where(np.isfinite(values), values, -np.inf).max(axis=1)
    most: Floats = np.where(np.isfinite(found), found, np.nan)
    return most


def _most(values: Floats, place: tuple[int, int]) -> Floats:
    return _nan_max(_part(values, place))


def _least(values: Floats, place: tuple[int, int]) -> Floats:
    found: Floats = -_nan_max(-_part(values, place))
    return found


def _count(which: np.typing.NDArray[np.bool_]) -> Floats:
    found: Floats = which.sum(axis=1).astype(float)
    return found


def _smooth(vectors: Floats, width: int) -> Floats:
    """The mean over `width` moments around each; NaN where fewer than a third are there."""
    there = np.isfinite(vectors[:, :, 0])
    sums = np.cumsum(np.pad(np.where(there[:, :, None], vectors, 0.0), ((0, 0), (1, 0), (0, 0))), axis=1)
    counts = np.cumsum(np.pad(there, ((0, 0), (1, 0))), axis=1)
    places = np.arange(vectors.shape[1])
    low, high = np.maximum(places - width // 2, 0), np.minimum(places + width // 2 + 1, vectors.shape[1])
    count = counts[:, high] - counts[:, low]
    found: Floats = (sums[:, high] - sums[:, low]) / np.where(count >= max(1, width // 3), count, np.nan)[:, :, None]
    return found


def _unit(vectors: Floats) -> Floats:
    found: Floats = vectors / np.fmax(np.linalg.norm(vectors, axis=-1, keepdims=True), LEAST_GRAVITY_G)
    return found


def _degrees(cosine: Floats) -> Floats:
    found: Floats = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return found


def _angle(one: Floats, other: Floats) -> Floats:
    """Between two directions, in degrees; NaN where one has none."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return _degrees((one * other).sum(axis=1) / np.where(lengths >= LEAST_GRAVITY_G**2, lengths, np.nan))


def _repeats(lengths: Floats) -> Floats:
    """The largest autocorrelation at the lags of steps, 0 to about 1; NaN where less than 40 moments are there."""
    there = np.isfinite(lengths)
    around = np.where(there, lengths - _average(lengths)[:, None], 0.0)
    energy, count = (around**2).sum(axis=1), there.sum(axis=1)
    best = np.full(len(lengths), -1.0)
    for lag in STEP_LAGS:
        pairs = (there[:, :-lag] & there[:, lag:]).sum(axis=1)
        same = (around[:, :-lag] * around[:, lag:]).sum(axis=1) * count / np.maximum(pairs, 1)
        best = np.where(pairs >= LEAST, np.fmax(best, same / np.fmax(energy, 1e-4)), best)
    return np.where(count >= 40, best, np.nan)


NAMES: Final[tuple[str, ...]] = tuple(features(np.ones((1, MOMENTS, 4))))


def matrix(windows: Floats) -> Floats:
    """Every feature of every window, (n, len(NAMES))."""
    return np.column_stack(list(features(windows).values()))
