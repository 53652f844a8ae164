"""A fall's trace as an SVG picture. Drawing only: its words are our own, colours are classes.

One picture each for a wide and for a narrow screen, so that the writing keeps its size on both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor
from typing import Final

from markupsafe import Markup

from dashboard.fall_trace import Span, Trace

WIDE: Final = 540  # units of the picture, which are pixels on a screen that has them
NARROW: Final = 264  # the card of an alert's page on a screen of 320 px
_HEIGHT: Final = 216
_LEFT: Final = 34
_RIGHT: Final = 6
_TOP: Final = 40  # two lines of writing: the blow, the stillness
_BOTTOM: Final = 40  # the seconds, and what they count from
_WORD: Final = 38  # half the width of "blow 33.0 g"
_LEAST_G: Final = 2.0  # the scale is never finer: a small blow must look small
_STEPS_G: Final = (0.5, 1, 2, 5, 10)  # between the lines; a trace goes to 33 g
ALTERNATIVE: Final = "The movement as a line. The sentence beside it and the table say the same."


@dataclass(frozen=True, slots=True)
class _Frame:
    width: int
    trace: Trace
    step_g: float
    most_g: float

    def x(self, at_s: float) -> float:
        share = (at_s - self.trace.at_s(0)) / self.trace.seconds
        return round(_LEFT + (self.width - _LEFT - _RIGHT) * share, 1)

    def y(self, length_g: float) -> float:
        return round(_HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * length_g / self.most_g, 1)


def draw(trace: Trace, width: int = WIDE) -> Markup:
    """The picture; the page has `fall_trace.sentence` and `fall_trace.table` beside it."""
    most = max([_LEAST_G, *(length for length in trace.lengths_g if length is not None)])
    step = next((step for step in _STEPS_G if most <= 4 * step), _STEPS_G[-1])
    frame = _Frame(width, trace, step, step * ceil(most / step))
    begin = Markup(
        '<svg class="fall-picture" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}">'
    )
    parts = [
        begin.format(width, _HEIGHT, ALTERNATIVE),
        *(_still(frame, span) for span in trace.still),
        *_axes(frame),
        *(_gap(frame, span) for span in trace.gaps),
        _line(frame),
        _blow(frame),
        Markup("</svg>"),
    ]
    return Markup("").join(parts)


def _axes(frame: _Frame) -> Iterator[Markup]:
    right, foot = frame.width - _RIGHT, frame.y(0)
    for n in range(round(frame.most_g / frame.step_g) + 1):
        value = n * frame.step_g
        y = frame.y(value)
        yield Markup('<path class="fall-grid" d="M{} {}H{}"/>').format(_LEFT, y, right)
        yield Markup('<text class="fall-g" x="{}" y="{}">{}</text>').format(_LEFT - 5, y + 4, f"{value:g}")
    yield Markup('<text class="fall-g" x="{}" y="{}">g</text>').format(_LEFT - 5, _TOP - 9)
    for second in range(ceil(frame.trace.at_s(0)), floor(frame.trace.end_s) + 1):
        x = frame.x(second)
        yield Markup('<path class="fall-tick" d="M{} {}v5"/>').format(x, foot)
        words = f"{second} s".replace("-", "−")
        yield Markup('<text class="fall-s" x="{}" y="{}">{}</text>').format(x, foot + 18, words)
    words = "seconds before and after the blow"
    yield Markup('<text class="fall-s" x="{}" y="{}">{}</text>').format((_LEFT + right) / 2, foot + 35, words)


def _line(frame: _Frame) -> Markup:
    points, pen_down = [], False
    for moment, length in enumerate(frame.trace.lengths_g):
        if length is not None:
            x = frame.x(frame.trace.at_s(moment))
            # From nowhere to itself: with round ends that is a dot, so that a lone moment is seen.
            points.append(f"L{x} {frame.y(length)}" if pen_down else f"M{x} {frame.y(length)}h0")
        pen_down = length is not None
    return Markup('<path class="fall-line" d="{}"/>').format("".join(points))


def _blow(frame: _Frame) -> Markup:
    x, y = frame.x(0), frame.y(frame.trace.blow_g)
    words = f"blow {frame.trace.blow_g:.1f} g"
    at = min(max(x, _LEFT + _WORD), frame.width - _WORD)
    return Markup(
        '<path class="fall-blow" d="M{x} {top}V{foot}"/><path class="fall-point" d="M{x} {y}m-5-5 10 10m0-10-10 10"/>'
        '<text class="fall-word" x="{at}" y="12">{words}</text>'
    ).format(x=x, y=y, top=17, foot=frame.y(0), at=at, words=words)


def _still(frame: _Frame, span: Span) -> Markup:
    """Shaded, under a bracket with its word."""
    x, end, top = frame.x(span.begin_s), frame.x(span.end_s), _TOP - 8
    return Markup(
        '<rect class="fall-still" x="{x}" y="{top}" width="{width}" height="{height}"/>'
        '<path class="fall-bracket" d="M{x} {low}V{top}H{end}V{low}"/>'
        '<text class="fall-word" x="{middle}" y="{word}">still</text>'
    ).format(
        x=x, end=end, top=top, low=top + 8, width=round(end - x, 1), height=round(frame.y(0) - top, 1),
        middle=round((x + end) / 2, 1), word=top - 4,
    )  # fmt: skip


def _gap(frame: _Frame, span: Span) -> Markup:
    x, end = frame.x(span.begin_s), frame.x(span.end_s)
    return Markup('<path class="fall-gap" d="M{} {}H{}"/>').format(x, frame.y(1), end)
