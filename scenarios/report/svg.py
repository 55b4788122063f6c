"""A small builder of inline SVG: deterministic, escaped, with a text alternative.

Every picture has a title and a description for those who do not see it, uses no random ids, and takes all its text
through one escaping function, since agency names and report titles may be hostile.
"""

from collections.abc import Iterable
from html import escape
from typing import Final

from markupsafe import Markup

from scenarios.report.palette import INK, MUTED, PAPER, Fill
from scenarios.report.visible import visible

FONT: Final = "ui-sans-serif, system-ui, 'Segoe UI', 'Liberation Sans', Arial, sans-serif"


def number(value: float) -> str:
    """Write a coordinate with at most one decimal, so that equal pictures are equal bytes."""
    return f"{value:.1f}".removesuffix(".0")


def wrap(text: str, *, chars_max: int, lines_max: int) -> list[str]:
    """Break a text at spaces and hyphens into lines; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    words = visible(text).replace("-", "-\0").replace(" ", " \0").split("\0")
    line = ""
    for word in words:
        if len((line + word).rstrip()) > chars_max and line:
            lines.append(line.strip())
            line = ""
        line += word
    lines.append(line.strip())
    if len(lines) > lines_max:
        kept = lines[:lines_max]
        return [*kept[:-1], kept[-1][: chars_max - 1].rstrip(" ,.;") + "…"]
    return [each if len(each) <= chars_max else each[: chars_max - 1] + "…" for each in lines]


class Picture:
    """One picture under construction. ``name`` makes the ids in it unique on the page."""

    def __init__(self, name: str, *, width: float, height: float, title: str, description: str) -> None:
        self.name = name
        self.width = width
        size = f'viewBox="0 0 {number(width)} {number(height)}" width="{number(width)}"'
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} '
            f'aria-labelledby="{name}-title {name}-desc" font-family="{escape(FONT)}">'
            f'<title id="{name}-title">{_text(title)}</title><desc id="{name}-desc">{_text(description)}</desc>'
            f'<defs><pattern id="{name}-hatch" width="7" height="7" patternUnits="userSpaceOnUse" '
            f'patternTransform="rotate(45)"><line x1="0" y1="0" x2="0" y2="7" stroke="#000000" '
            f'stroke-opacity="0.28" stroke-width="2.2"/></pattern></defs>'
        )
        self._body: list[str] = []

    def rect(
        self, x: float, y: float, width: float, height: float, fill: Fill, *, hint: str = "", radius: float = 2
    ) -> None:
        """Draw a box; ``hint`` is shown when the pointer rests on it."""
        place = (
            f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}" rx="{number(radius)}"'
        )
        dash = ' stroke-dasharray="4 3"' if fill.dashed else ""
        title = f"<title>{_text(hint)}</title>" if hint else ""
        self._body.append(
            f'<rect {place} fill="{fill.fill}" stroke="{fill.stroke}" stroke-width="{number(fill.stroke_width)}"{dash}>'
            f"{title}</rect>"
        )
        if fill.hatched:
            self._body.append(f'<rect {place} fill="url(#{self.name}-hatch)" pointer-events="none"/>')

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 12,
        fill: str = INK,
        anchor: str = "start",
        bold: bool = False,
        halo: bool = False,
    ) -> None:
        """Write a text; ``halo`` keeps it readable over lines and hatching."""
        weight = ' font-weight="600"' if bold else ""
        around = f' stroke="{PAPER}" stroke-width="3" paint-order="stroke"' if halo else ""
        self._body.append(
            f'<text x="{number(x)}" y="{number(y)}" font-size="{number(size)}" fill="{fill}" '
            f'text-anchor="{anchor}"{weight}{around}>{_text(text)}</text>'
        )

    def lines(self, x: float, y: float, lines: Iterable[str], *, size: float = 12, fill: str = INK) -> None:
        """Write lines below one another."""
        for row, line in enumerate(lines):
            self.text(x, y + row * size * 1.25, line, size=size, fill=fill)

    def line(
        self, x1: float, y1: float, x2: float, y2: float, *, stroke: str = MUTED, width: float = 1, dash: str = ""
    ) -> None:
        """Draw a line."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._body.append(
            f'<line x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}" stroke="{stroke}" '
            f'stroke-width="{number(width)}"{dashes}/>'
        )

    def path(self, points: Iterable[tuple[float, float]], *, stroke: str, width: float = 2) -> None:
        """Draw a line through points."""
        along = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self._body.append(
            f'<polyline points="{along}" fill="none" stroke="{stroke}" stroke-width="{number(width)}" '
            'stroke-linejoin="round"/>'
        )

    def circle(self, x: float, y: float, radius: float, *, fill: str, stroke: str = INK, hint: str = "") -> None:
        """Draw a circle."""
        title = f"<title>{_text(hint)}</title>" if hint else ""
        self._body.append(
            f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" fill="{fill}" stroke="{stroke}" '
            f'stroke-width="1.6">{title}</circle>'
        )

    def markup(self) -> Markup:
        """Return the finished picture; everything in it has been escaped."""
        return Markup(self._head + "".join(self._body) + "</svg>")  # noqa: S704 - all text went through _text


def _text(text: str) -> str:
    return escape(visible(text))


def axis_step_ms(length_ms: int) -> int:
    """Choose the distance of an axis's ticks, so that there are at most a dozen."""
    minutes = (1, 2, 5, 10, 15, 20, 30, 60, 120, 240, 360, 720, 1_440)
    return next((step * 60_000 for step in minutes if length_ms <= 12 * step * 60_000), 2_880 * 60_000)
