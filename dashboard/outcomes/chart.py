"""A line chart as SVG, made on the server: at most four lines, each with its name at its end. No script, no style."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

COLOURS: Final = ("#12436D", "#28A197", "#801650", "#F46A25")  # the Government Analysis Function's, in its order
_MARKERS: Final = ("circle", "square", "diamond", "triangle")  # a line is known without its colour
_INK: Final = "#0b0c0c"
_GRID: Final = "#d0d3d4"
_TOP, _BOTTOM, _LEFT = 14, 34, 40
_SIZE: Final = 3.6


@dataclass(frozen=True, slots=True)
class Line:
    """A line's name and its values; None leaves a gap."""

    name: str
    values: Sequence[float | None]


def line_chart(
    lines: Sequence[Line], labels: Sequence[str], unit: str, words: str, *, width: int, height: int
) -> Markup:
    """The chart. `words` is its text alternative; the page has a table with the values.

    Raises:
        ValueError: there are more lines than can be told apart.
    """
    if len(lines) > len(COLOURS):
        raise ValueError("at most four lines can be told apart")
    most = _round_up(max((v for line in lines for v in line.values if v is not None), default=1))
    right = width - 12
    frame = _Frame(width, height, right, most, max(len(labels) - 1, 1))
    parts = [_axes(frame, labels, unit)]
    for number, line in enumerate(lines):
        parts.append(_line(frame, line, COLOURS[number], _MARKERS[number]))
    svg = (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{escape(words)}"'
        f' font-family="system-ui, sans-serif" font-size="13" fill="{_INK}">{"".join(parts)}</svg>'
    )
    return Markup(svg)  # noqa: S704  (names are escaped, the rest is numbers)


@dataclass(frozen=True, slots=True)
class _Frame:
    width: int
    height: int
    right: int
    most: float
    steps: int

    def x(self, place: int) -> float:
        return round(_LEFT + (self.right - _LEFT) * place / self.steps, 1)

    def y(self, value: float) -> float:
        return round(self.height - _BOTTOM - (self.height - _BOTTOM - _TOP) * value / self.most, 1)


def _round_up(value: float) -> float:
    for step in (1, 2, 4, 5, 10, 20, 40, 50, 100, 200, 400, 500):
        if value <= 4 * step:
            return 4.0 * step
    return float(value)


def _axes(frame: _Frame, labels: Sequence[str], unit: str) -> str:
    parts = []
    for quarter in range(5):
        value = frame.most * quarter / 4
        y = frame.y(value)
        parts.append(f'<path d="M{_LEFT} {y}H{frame.right}" stroke="{_GRID if quarter else _INK}" stroke-width="1"/>')
        words = f"{value:g}{' ' + escape(unit) if quarter == 4 else ''}"
        anchor = ("start", 0) if quarter == 4 else ("end", _LEFT - 6)
        parts.append(f'<text x="{anchor[1]}" y="{y + 4.5}" text-anchor="{anchor[0]}">{words}</text>')
    every = 1 if frame.width >= 560 else 3
    for place, label in enumerate(labels):
        if place % every == 0:
            parts.append(
                f'<text x="{frame.x(place)}" y="{frame.height - 14}" text-anchor="middle">{escape(label)}</text>'
            )
    return "".join(parts)


def _line(frame: _Frame, line: Line, colour: str, marker: str) -> str:
    path, pen_down, marks = [], False, []
    for place, value in enumerate(line.values):
        if value is None:
            pen_down = False
            continue
        x, y = frame.x(place), frame.y(value)
        path.append(f"{'L' if pen_down else 'M'}{x} {y}")
        pen_down = True
        marks.append(_mark(x, y, colour, marker))
    return f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="2.5"/>{"".join(marks)}'


def _mark(x: float, y: float, colour: str, marker: str) -> str:
    s = _SIZE
    if marker == "circle":
        return f'<circle cx="{x}" cy="{y}" r="{s}" fill="{colour}"/>'
    shapes = {
        "square": f"M{x - s} {y - s}h{2 * s}v{2 * s}h{-2 * s}z",
        "diamond": f"M{x} {y - s * 1.4}l{s * 1.4} {s * 1.4}l{-s * 1.4} {s * 1.4}l{-s * 1.4} {-s * 1.4}z",
        "triangle": f"M{x} {y - s * 1.3}l{s * 1.3} {s * 2.3}h{-s * 2.6}z",
    }
    return f'<path d="{shapes[marker]}" fill="{colour}"/>'


def key(lines: Sequence[Line]) -> list[tuple[str, Markup]]:
    """Each line's name with its marker, for the line above the chart."""
    found = []
    for number, line in enumerate(lines):
        mark = _mark(8, 8, COLOURS[number], _MARKERS[number])
        svg = f'<svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">{mark}</svg>'
        found.append((line.name, Markup(svg)))  # noqa: S704
    return found
