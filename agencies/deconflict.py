"""Deconfliction, an agency's side: what is compared, in the one spelling that both sides use.

An identifier is a kind and a value, as in a report's indicators. Two agencies write the same plate or vessel name in
many ways; what differs in case, width, spaces or punctuation is the same. Nothing beyond is guessed: a hit must mean
the same thing, and a misspelt name is none.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.codec import pack, read_shape, unpack
from schemas.errors import SealError
from schemas.limits import CONTENT_BYTES_MAX
from schemas.names import Hash
from schemas.report import Indicator, PortionContent
from schemas.workflow import AskedPoints, DeconflictAsk, DeconflictReply
from sealing.entropy import Entropy, apart
from sealing.intersection import Answer, Blinded, answer, blind, find_hits


class Identifier(NamedTuple):
    """Something that a boat, a person or a vehicle is known by: ``vessel-name`` and ``Bunga Melati 7``."""

    kind: str
    value: str


class _KeptAsk(NamedTuple):
    """What an asker keeps until the reply: the scalar, its points, and how many of them are asked for."""

    secret: Hash
    points: AskedPoints
    asked: int


def spelling(identifier: Identifier) -> bytes:
    """Return the one spelling of an identifier, with its kind: the same number as passport and as plate are two.

    Raises:
        SealError: If nothing of the value is left.
    """
    # Normalized before and after: folding takes letters apart, and marks join across what is left out.
    folded = unicodedata.normalize("NFKC", identifier.value).casefold()
    folded = unicodedata.normalize("NFKC", folded)
    kept = unicodedata.normalize("NFKC", "".join(letter for letter in folded if _counts(letter)))
    if not kept:
        msg = f"the {identifier.kind} has neither letters nor digits"
        raise SealError(msg, remedy="name it as it is written on the boat, the plate or the passport")
    return pack((identifier.kind.casefold(), kept))


def held_by(contents: Iterable[PortionContent]) -> frozenset[bytes]:
    """Return the spellings of everything that these texts name as indicators; those that name nothing are left out."""
    return frozenset(
        spelling(Identifier(indicator.kind, indicator.value))
        for content in contents
        for indicator in content.indicators
        if _says_something(indicator)
    )


def make_ask(
    identifiers: Sequence[Identifier], *, asker: str, answerer: str, entropy: Entropy
) -> tuple[DeconflictAsk, bytes]:
    """Make an ask, and what the asker has to keep secret until the reply.

    Raises:
        SealError: If there is nothing to ask for, too much, or an identifier without letters and digits.
    """
    elements = list(dict.fromkeys(spelling(identifier) for identifier in identifiers))
    context = _context(asker, answerer)
    blinded = blind(elements, context=context, entropy=apart(entropy, b"ask", context))
    return DeconflictAsk("EXERCISE", "ask", blinded.points), pack(_KeptAsk(*blinded, len(elements)))


def make_reply(
    ask: DeconflictAsk, held: frozenset[bytes], *, asker: str, answerer: str, entropy: Entropy
) -> DeconflictReply:
    """Answer an ask from what is held.

    Raises:
        RemoteError: CONTENT if a point of the ask is none.
        SealError: If more is held than a reply takes.
    """
    context = _context(asker, answerer)
    made = answer(ask.points, held, context=context, entropy=apart(entropy, b"reply", context))
    return DeconflictReply("EXERCISE", "reply", made.doubled, made.held)


def count_hits(kept: bytes, reply: DeconflictReply) -> int:
    """Return how many of the identifiers that were asked for the answerer holds too.

    Raises:
        RemoteError: CONTENT if the reply is not well made.
    """
    mine = read_shape(_KeptAsk, unpack(kept, bytes_max=CONTENT_BYTES_MAX))
    return sum(find_hits(Blinded(mine.secret, mine.points), mine.asked, Answer(reply.doubled, reply.held)))


def _context(asker: str, answerer: str) -> bytes:
    """Bind points to who asks whom: an answerer cannot pass an ask on to a third and learn what that one holds."""
    return pack((asker, answerer))


def _says_something(indicator: Indicator) -> bool:
    return any(_counts(letter) for letter in unicodedata.normalize("NFKC", indicator.value))


def _counts(letter: str) -> bool:
    """Tell a letter, mark or digit from what only separates them."""
    return unicodedata.category(letter)[0] in "LMN"
