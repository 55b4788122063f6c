"""What a portion inherits from what it quotes, whatever its author would like: ORCON, members first, TLP, PAP.

"Derived products inherit all parents" (H2) and "TLP and PAP are never lowered by marking anew" (H11). Pure: a desk asks
for the inherited label when it writes, and its node proves it before it seals.
"""

from collections.abc import Iterable
from typing import Final

from agencies.drafts import Quote
from policy.caveats import ORCON, PAP, PAP_ORDER, operands
from policy.members_first import first_words
from schemas.errors import SealError
from schemas.label import TLP_ORDER, Label
from schemas.report import Portion

_UNMARKED: Final = -1  # below every colour


def with_inherited(label: Label, parents: Iterable[Label]) -> Label:
    """Return a label of one's own with what its parents' labels do not let go of.

    Args:
        label: As the author would have it.
        parents: The labels of what is quoted from others.
    """
    parents = tuple(parents)
    tlp = max((label.tlp, *(parent.tlp for parent in parents)), key=TLP_ORDER.index)
    caveats = set(label.caveats)
    if any(ORCON in parent.caveats for parent in parents):
        caveats.add(ORCON)
    caveats |= {word for parent in parents for word in first_words(parent)}
    colour = max((_colour(parent) for parent in parents), default=_UNMARKED)
    if colour > _colour(label):
        caveats.add(f"{PAP}:{PAP_ORDER[colour]}")
    return label._replace(tlp=tlp, caveats=tuple(sorted(caveats)))


def check_inherited(portions: Iterable[Portion], quotes: Iterable[Quote]) -> None:
    """Prove that each portion bears what it inherits from what it quotes.

    Raises:
        SealError: If one does not: whoever got it would hold itself bound by less than its originator asked for.
    """
    quotes = tuple(quotes)
    for portion in portions:
        label = portion.label
        for quote in _quoted_by(portion, quotes):
            title, tlp = portion.content.title, quote.label.tlp
            if ORCON in quote.label.caveats and ORCON not in label.caveats:
                # "A portion that quotes a portion of another agency under ORCON MUST be under ORCON itself."
                msg = f"the portion {title!r} quotes what is under ORCON and is not under ORCON itself"
                raise SealError(msg, remedy="add the caveat ORCON to its label; a product inherits it from its parents")
            missing = sorted({*first_words(quote.label)} - {*label.caveats})
            if missing:
                # "A portion that quotes a portion under MEMBERS-FIRST MUST bear the same caveat."
                msg = f"the portion {title!r} quotes what goes to members first and does not bear {missing[0]}"
                raise SealError(msg, remedy=f"add the caveat {missing[0]} to its label")
            if TLP_ORDER.index(label.tlp) < TLP_ORDER.index(tlp):
                # "A mark of TLP MUST NOT be lowered by handing a portion on."
                msg = f"the portion {title!r} is TLP:{label.tlp} and quotes what {quote.originator} marked TLP:{tlp}"
                raise SealError(msg, remedy=f"mark it TLP:{tlp}, or ask {quote.originator} for a version to share")
            if _colour(label) < _colour(quote.label):
                # "A PAP colour MUST NOT be lowered or left out by handing a portion on."
                colour = f"{PAP}:{PAP_ORDER[_colour(quote.label)]}"
                msg = f"the portion {title!r} quotes what {quote.originator} marked {colour} and does not bear it"
                raise SealError(msg, remedy=f"add the caveat {colour} to its label")


def _quoted_by(portion: Portion, quotes: Iterable[Quote]) -> list[Quote]:
    """Return the quotes that a portion names as its parents; where no commitment is known, by their message."""
    named = {(parent.hid, parent.commitment) for parent in portion.content.derived_from}
    messages = {hid for hid, _ in named}
    return [
        quote
        for quote in quotes
        if ((quote.hid, quote.commitment) in named if quote.commitment is not None else quote.hid in messages)
    ]


def _colour(label: Label) -> int:
    """Return the strictest PAP colour of a label, as its place in the order."""
    return max((PAP_ORDER.index(colour) for colour in operands(label, PAP)), default=_UNMARKED)
