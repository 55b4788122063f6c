"""What a standing order says of a life-safety override: the authority, the office, and the little that is told."""

import itertools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, get_args

from agencies.drafts import OverrideTerms
from scenarios.fields import Fields
from scenarios.model import ActWord
from scenarios.passages import ContentContext, PassageReader
from scenarios.text_yaml import TextNode
from scenarios.values import read_distance_m, read_position
from schemas.codec import pack, read_shape
from schemas.errors import RemoteError
from schemas.label import LIFE_SAFETY_PREFIX
from schemas.limits import OVERRIDE_PADDED_BYTES_MAX, PASSAGES_MAX
from schemas.workflow import Danger, OverrideContent

_DANGERS: Final[tuple[Danger, ...]] = get_args(Danger)
# Fields that only this act has; elsewhere they would be silently without effect.
_FIELDS: Final = ("authority", "office", "danger", "position", "radius", "line", "concerns")
OVERRIDE_FIELDS: Final[dict[str, tuple[ActWord, ...]]] = dict.fromkeys(_FIELDS, ("override",))
_NEEDED: Final = {
    "authority": f"name a mechanism that begins with {LIFE_SAFETY_PREFIX}",
    "office": "say by which office it is ordered, never by which person",
    "danger": f"one of {', '.join(_DANGERS)}",
    "position": "write 01-04.2N 103-42.8E",
    "line": "say in one plain line what is to be known",
    "why": "say why consent could not be waited for; it is printed in the report",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideContext:
    """What an override is read against: the pack's authorities and states, and where its passages are noted."""

    authorities: Collection[str]
    states: Collection[str]
    content: ContentContext


def read_override(order: str, do: ActWord, fields: Fields, context: OverrideContext) -> OverrideTerms | None:
    """Read what is told under which authority; None for any other act, and after a slip."""
    authority = fields.one_of("authority", context.authorities, noun="life-safety authority of the pack")
    danger = fields.word("danger", _DANGERS, _DANGERS[0])
    latitude, longitude = fields.read("position", read_position, (0, 0))
    radius_m = fields.read("radius", read_distance_m, 0)
    office, line = fields.text("office"), fields.node("line")
    fields.text("line")
    affected = fields.words("concerns", context.states, noun="state with a seat")
    if do != "override":
        return None
    missing = [name for name in _NEEDED if fields.node(name) is None]
    for name in missing:
        fields.problems.add(fields.mark, "missing", f"{fields.what} has no '{name}'", _NEEDED[name])
    if missing or authority is None or not isinstance(line, TextNode):
        return None
    ordinals = iter(itertools.islice(itertools.count(1), PASSAGES_MAX))
    terms = OverrideTerms(
        authority=authority,
        office=office,
        danger=danger,
        latitude_micro=latitude,
        longitude_micro=longitude,
        radius_m=radius_m,
        line=PassageReader(line, f"order {order}", ordinals, context.content).read(),
        affected=tuple(sorted(affected)),
    )
    _check_short(terms, fields)
    return terms


def _check_short(terms: OverrideTerms, fields: Fields) -> None:
    content = OverrideContent(
        "EXERCISE", terms.office, terms.danger, terms.latitude_micro, terms.longitude_micro, terms.radius_m,
        2**53 - 1, terms.line,
    )  # fmt: skip
    try:
        read_shape(OverrideContent, tuple(content))
        too_long = len(pack(content)) >= OVERRIDE_PADDED_BYTES_MAX
    except RemoteError:
        too_long = True
    if too_long:
        fields.problems.add(
            fields.mark_of("line"), "limit", "an override holds a position, a danger and one short line, and no more",
            f"shorten office or line to {OVERRIDE_PADDED_BYTES_MAX - 1} bytes together with the rest",
        )  # fmt: skip
