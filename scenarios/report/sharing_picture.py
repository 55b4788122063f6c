"""Who told whom: reports and median delay from row to column, disclosures marked."""

from typing import Final

from markupsafe import Markup

from scenarios.evaluate.evaluation import Evaluation
from scenarios.evaluate.flows import Flow
from scenarios.evaluate.wording import Names, length_text
from scenarios.model import Pack
from scenarios.report.palette import ALARM, INK, MUTED, PAPER, Fill
from scenarios.report.svg import Picture, wrap

_LABEL: Final = 130
_CELL: Final = 74
_ROW: Final = 44
_HEAD: Final = 64
_LEGEND: Final = 620  # what the sentence below the matrix takes
_SHADES: Final = ("#e7eef3", "#c6d8e4", "#98b9cd", "#5f90ad", "#2c6e8f")
_EMPTY: Final = Fill(fill="#f8f9fa", text=MUTED, stroke="#eceff1")
_SELF: Final = Fill(fill="#eceff1", text=MUTED, stroke="#eceff1")


def draw_sharing(pack: Pack, evaluation: Evaluation, names: Names) -> Markup:
    """Draw the adjacency matrix of all reports that were verified by their readers."""
    agencies = [participant.agency for participant in pack.participants]
    flows = {(flow.sender, flow.reader): flow for flow in evaluation.flows}
    most = max((flow.reports for flow in evaluation.flows), default=1)
    picture = Picture(
        "sharing",
        width=max(_LABEL + _CELL * len(agencies) + 4, _LEGEND),
        height=_HEAD + _ROW * len(agencies) + 26,
        title="Who told whom",
        description=" ".join(_in_words(flow, names) for flow in evaluation.flows) or "Nobody told anybody anything.",
    )
    picture.text(_LABEL + _CELL * len(agencies) / 2, 14, "told (reader)", size=12, fill=MUTED, anchor="middle")
    picture.text(0, _HEAD - 10, "teller", size=12, fill=MUTED)
    for column, agency in enumerate(agencies):
        lines = wrap(agency, chars_max=10, lines_max=2)
        for row, line in enumerate(lines):
            y = _HEAD - 10 - 14 * (len(lines) - 1 - row)
            picture.text(_LABEL + _CELL * column + _CELL / 2, y, line, bold=True, anchor="middle")
    for row, sender in enumerate(agencies):
        y = _HEAD + _ROW * row
        picture.text(0, y + 26, wrap(sender, chars_max=17, lines_max=1)[0], bold=True)
        for column, reader in enumerate(agencies):
            x = _LABEL + _CELL * column + 2
            flow = flows.get((sender, reader))
            if flow is None:
                picture.rect(x, y + 2, _CELL - 4, _ROW - 4, _SELF if sender == reader else _EMPTY)
            else:
                _draw_flow(picture, flow, x, y + 2, most=most, names=names)
    legend = "In each cell: reports verified, and below it the median time from released to verified. "
    picture.text(0, _HEAD + _ROW * len(agencies) + 20, legend + "D: disclosures among them.", size=11, fill=MUTED)
    return picture.markup()


def _draw_flow(picture: Picture, flow: Flow, x: float, y: float, *, most: int, names: Names) -> None:
    shade = min(len(_SHADES) - 1, flow.reports * len(_SHADES) // (most + 1))
    ink = PAPER if shade >= 3 else INK  # noqa: PLR2004 - the two darkest shades
    style = Fill(fill=_SHADES[shade], text=ink, stroke=_SHADES[shade])
    if flow.disclosures:
        style = Fill(fill=_SHADES[shade], text=ink, stroke=ALARM, stroke_width=3.5)
    picture.rect(x, y, _CELL - 4, _ROW - 4, style, hint=_in_words(flow, names))
    centre = x + (_CELL - 4) / 2
    picture.text(centre, y + 18, str(flow.reports), size=14, bold=True, fill=ink, anchor="middle")
    picture.text(centre, y + 33, length_text(flow.median_ms), size=11, fill=ink, anchor="middle")
    if flow.disclosures:
        picture.rect(x + _CELL - 29, y + 3, 22, 15, Fill(fill=ALARM, text=PAPER, stroke=ALARM))
        picture.text(x + _CELL - 18, y + 14.5, f"D{flow.disclosures}", size=11, bold=True, fill=PAPER, anchor="middle")


def _in_words(flow: Flow, names: Names) -> str:
    words = (
        f"{names.agency(flow.sender)} to {names.agency(flow.reader)}: {flow.reports}, "
        f"median {length_text(flow.median_ms)}"
    )
    return words + (f", {flow.disclosures} disclosed" if flow.disclosures else "") + "."
