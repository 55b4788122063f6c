"""The label of a portion: what need-to-know is decided on, and all that the broker reads of a report.

The array and the meaning of each part are those of docs/spec/need-to-know.md, "Label". A label is signed by way of
its portion's commitment, so neither broker nor reader can change it.
"""

from functools import lru_cache
from typing import Final, Literal, NamedTuple

from schemas.codec import read_shape, unpack
from schemas.limits import HEADER_BYTES_MAX
from schemas.names import Millis, States, Subjects, Topic, Word, Words

Tlp = Literal["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]
Precedence = Literal["ROUTINE", "PRIORITY", "IMMEDIATE", "FLASH"]

TLP_ORDER: Final[tuple[Tlp, ...]] = ("CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED")
PRECEDENCE_ORDER: Final[tuple[Precedence, ...]] = ("ROUTINE", "PRIORITY", "IMMEDIATE", "FLASH")
PRECEDENCE_RANK: Final[dict[str, int]] = {word: rank for rank, word in enumerate(PRECEDENCE_ORDER)}

# The topics of messages about reports, by kind; nothing but a message of that kind may bear one.
WORKFLOW_PREFIX: Final = "workflow."
WORKFLOW_TOPICS: Final[dict[str, str]] = {
    kind: f"{WORKFLOW_PREFIX}{kind}"
    for kind in ("receipt", "request", "decision", "coord", "cosign", "proposal", "objection")
}

# The topics of life-safety overrides: this and the authority under which one is made, which is a mechanism of the same
# name. Nothing but an override may bear one.
LIFE_SAFETY_PREFIX: Final = "life-safety."

# The levels of the exercise lattice, lowest first. A bundle names the ones in force; these are what packs use.
EXERCISE_LEVELS: Final = ("EX-UNCLAS", "EX-RESTRICTED", "EX-CONFIDENTIAL", "EX-SECRET")


class Label(NamedTuple):
    """What one portion is about and who may have it.

    Attributes:
        tlp: Traffic Light Protocol 2.0, spelled in full.
        level: A level of the bundle's lattice; one the bundle does not name is refused.
        topic: A code of the taxonomy, such as ``toc.piracy``.
        compartments: Every one must be held.
        mechanisms: At least one must have the reader as a full member; empty means none is asked for.
        rel: REL TO: states, agencies, bodies, ``@groups``; empty means not restricted.
        exclude: Named ``not`` in the specification: states, agencies, groups that may not have it.
        caveats: ``ORCON``, ``NATONLY``, ``PROPIN``, ``NAMED:<agency>`` …; an unknown one is refused.
        affected: States concerned; need to know is computed from it.
        precedence: The order in which queues are emptied.
        not_before: Embargo, Unix ms, or None.
    """

    tlp: Tlp
    level: Word
    topic: Topic
    compartments: Words = ()
    mechanisms: Words = ()
    rel: Subjects = ()
    exclude: Subjects = ()
    caveats: Words = ()
    affected: States = ()
    precedence: Precedence = "ROUTINE"
    not_before: Millis | None = None


@lru_cache(maxsize=4_096)
def read_label(packed: bytes) -> Label:
    """Read a label from its canonical bytes.

    Labels repeat from report to report, so the checked ones are kept. The key is the bytes, never the decoded
    values: ``1``, ``1.0`` and ``True`` would be the same key and are not the same label.

    Raises:
        RemoteError: SHAPE, or what ``unpack`` raises.
    """
    return read_shape(Label, unpack(packed, bytes_max=HEADER_BYTES_MAX))
