"""What a standing order asks: the question, what is compared with another agency, the step of a coordination."""

import re
from typing import Final, cast, get_args

from agencies.deconflict import Identifier, spelling
from scenarios.fields import Fields
from scenarios.model import ActWord
from scenarios.text_yaml import TextNode, shorten
from schemas.errors import SealError
from schemas.limits import DECONFLICT_POINTS
from schemas.names import STATE_PATTERN
from schemas.workflow import CoordAct

_STATE: Final = re.compile(STATE_PATTERN.removeprefix("^").removesuffix("$"), re.ASCII)
_STEPS: Final[tuple[CoordAct, ...]] = get_args(CoordAct)
_EVERYBODY: Final = "need-to-know"
_OPENING: Final = frozenset({"task", "offer"})
# What an act cannot do without, and what to write.
_NEEDED: Final[dict[str, dict[str, str]]] = {
    "ask": {
        "question": "say what is asked",
        "subject": "say in a few words what it is about",
        "label": "name the label of what the question gives away",
        "why": "say what the answer is wanted for",
    },
    "decline": {"why": "say why; the asker reads it"},
    "deconflict": {"about": "write about: [vessel-name Bunga Melati 7]", "subject": "say what it is for"},
    "coordinate": {"step": f"one of {', '.join(_STEPS)}"},
}


def read_asking(fields: Fields, do: ActWord) -> tuple[str, CoordAct | None, tuple[tuple[str, str], ...]]:
    """Read the question, the step and the identifiers of an order, and say what an act that needs them lacks."""
    question = fields.text("question")
    step = cast("CoordAct | None", fields.one_of("step", _STEPS, noun="step of a coordination"))
    about = tuple(_read_identifier(item.value, fields) for item in fields.texts("about"))
    needed = dict(_NEEDED.get(do, {}))
    if step in _OPENING:
        needed |= {"to": "say with whom", "subject": "say what is to be done"}
    for name, remedy in needed.items():
        if fields.node(name) is None:
            fields.problems.add(fields.mark, "missing", f"{fields.what} has no '{name}'", remedy)
    to = fields.node("to")
    if do in {"deconflict", "coordinate"} and isinstance(to, TextNode) and to.value.strip() == _EVERYBODY:
        fields.problems.add(fields.mark_of("to"), "value", f"{fields.what} asks nobody by name", "write to: [sgp-pol]")
    if len(about) > DECONFLICT_POINTS:
        fields.problems.add(
            fields.mark_of("about"),
            "limit",
            f"more than {DECONFLICT_POINTS} identifiers in one ask",
            "ask in two orders",
        )
    return question, step, about


def read_help(fields: Fields, step: CoordAct | None) -> tuple[str, ...]:
    """Read whom help is for: ``affected: [PHL]``; an answer has its task's, so only what opens a thread names any."""
    affected = tuple(sorted({item.value for item in fields.texts("affected")}))
    if affected and step not in _OPENING:
        remedy = f"it belongs to a step that opens a thread: {', '.join(sorted(_OPENING))}"
        fields.problems.add(
            fields.mark_of("affected"), "idle-field", f"{fields.what} answers and opens nothing", remedy
        )
    for item in fields.texts("affected"):
        if _STATE.fullmatch(item.value) is None:
            fields.problems.add(item.mark, "value", f"'{shorten(item.value)}' is no state", "write three letters: PHL")
    return affected


def _read_identifier(text: str, fields: Fields) -> tuple[str, str]:
    kind, _, value = text.strip().partition(" ")
    try:
        spelling(Identifier(kind, value))
    except SealError:
        fields.problems.add(
            fields.mark_of("about"), "value", f"'{shorten(text)}' is no kind and value",
            "write for example vessel-name Bunga Melati 7",
        )  # fmt: skip
    return kind, value.strip()
