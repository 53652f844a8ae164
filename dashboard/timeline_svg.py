"""A day in a home as an SVG picture. Drawing only: every word from outside is escaped, colours are classes."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from markupsafe import Markup

from dashboard.timeline import BIN, Day, Lane, Picture

_LABELS: Final = 170  # width of the names on the left, in units of the picture
_WIDTH: Final = 1000
_LANE: Final = 26
_LINE: Final = 64  # a temperature's lane is higher
_TOP: Final = 26
_LEVEL_SHAPES: Final = {
    1: "M0-7 8 7H-8z",
    2: "M0-8 8 0 0 8-8 0z",
    3: "M-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0",
    4: "M-7-7H7V7H-7z",
}


def draw(shown: Picture, summary: str) -> Markup:
    """The picture, with `summary` as its text alternative."""
    height = _TOP + sum(_height(lane) for lane in shown.lanes) + 6
    parts = [
        Markup(
            '<svg class="timeline" viewBox="0 0 {} {}" role="img" aria-labelledby="timeline-title timeline-desc">'
        ).format(_WIDTH, height),
        Markup('<title id="timeline-title">{}</title><desc id="timeline-desc">{}</desc>').format(
            shown.day.title, summary
        ),
        *_axis(shown.day, height),
    ]
    y = _TOP
    for lane in shown.lanes:
        parts += [
            Markup('<text class="lane-name" x="0" y="{}">{}</text>').format(y + _height(lane) / 2 + 4, lane.name[:26]),
            Markup('<path class="lane-edge" d="M0 {0}H{1}"/>').format(y + _height(lane), _WIDTH),
            *_DRAW[lane.kind](shown.day, lane, y),
        ]
        y += _height(lane)
    return Markup("").join([*parts, Markup("</svg>")])


def _height(lane: Lane) -> int:
    return _LINE if lane.kind == "line" else _LANE


def _x(day: Day, at: datetime) -> float:
    share = (at - day.start) / (day.end - day.start)
    return round(_LABELS + (_WIDTH - _LABELS) * min(max(share, 0.0), 1.0), 1)


def _axis(day: Day, height: int) -> Iterator[Markup]:
    for n, hour in enumerate(day.hours):
        x = _x(day, hour)
        yield Markup('<path class="hour{}" d="M{} {}V{}"/>').format("" if n % 3 else " hour-named", x, _TOP - 6, height)
        if n % 3 == 0:
            yield Markup('<text class="hour-name" x="{}" y="14">{}</text>').format(x, day.wall(hour))


def _motion(day: Day, lane: Lane, y: int) -> Iterator[Markup]:
    most = max(count for _, count in lane.bins)
    for at, count in lane.bins:
        x, end = _x(day, at), _x(day, min(at + BIN, day.end))
        tall = round(6 + (_LANE - 10) * count / most, 1)
        yield Markup('<rect class="motion" x="{}" y="{}" width="{}" height="{}"/>').format(
            x, round(y + _LANE - 2 - tall, 1), max(round(end - x - 0.4, 1), 1), tall
        )


def _spans(day: Day, lane: Lane, y: int) -> Iterator[Markup]:
    for span in lane.spans:
        x, end = _x(day, span.start), _x(day, span.end)
        words = f"{lane.name}: {day.wall(span.start)} to {day.wall(span.end)}"
        yield Markup('<rect class="span" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
            x, y + 6, max(round(end - x, 1), 2), _LANE - 12, words
        )


def _alerts(day: Day, lane: Lane, y: int) -> Iterator[Markup]:
    for span in lane.spans:
        x, end, level = _x(day, span.start), _x(day, span.end), span.level or 4
        words = f"{span.words}, level {level}, {day.wall(span.start)} to {day.wall(span.end)}"
        yield Markup(
            '<g class="alert-span alert-span-{level}"><title>{words}</title>'
            '<path class="alert-line" d="M{x} {y}H{end}"/><path transform="translate({x} {y})" d="{shape}"/>'
            '<text x="{x}" y="{text_y}">{level}</text></g>'
        ).format(
            level=level,
            words=words,
            x=x,
            end=end,
            y=y + _LANE / 2,
            text_y=y + _LANE / 2 + 4,
            shape=_LEVEL_SHAPES[level],
        )


def _marks(day: Day, lane: Lane, y: int) -> Iterator[Markup]:
    for mark in lane.marks:
        yield Markup(
            '<path class="mark" transform="translate({} {})" d="M0-9 5 6H-5z"><title>{}</title></path>'
        ).format(_x(day, mark.at), y + _LANE / 2 + 2, f"{mark.words}, {day.wall(mark.at)}")


def _line(day: Day, lane: Lane, y: int) -> Iterator[Markup]:
    values = [value for _, value in lane.points]
    low, high = min(values), max(values)
    reach = max(high - low, 1.0)

    def at_height(value: float) -> float:
        return round(y + _LINE - 10 - (value - low) / reach * (_LINE - 20), 1)

    path = " ".join(f"{_x(day, at)} {at_height(value)}" for at, value in lane.points)
    yield Markup('<path class="temperature" d="M{}"/>').format(path)
    for value in {low, high}:
        yield Markup('<text class="value" x="{}" y="{}">{} °C</text>').format(
            _LABELS - 4, at_height(value) + 4, f"{value:g}"
        )


_DRAW: Final = {"motion": _motion, "spans": _spans, "alerts": _alerts, "marks": _marks, "line": _line}
