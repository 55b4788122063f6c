"""What must hold at every step of a run, by number (docs/adr/0010), and what a plan makes legitimate.

The numbers stand in plans, reports and canaries: a shrunk plan must break the same one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

NO_CRASH: Final = 0
NOTHING_LOST: Final = 1
ONE_EFFECT: Final = 2
NOTHING_UNSENT: Final = 3
ORACLE: Final = 4
REVOKED: Final = 5
NEVER_BACK: Final = 6
LEAVES: Final = 7
BOUNDS: Final = 8
NO_REMAINS: Final = 9
LIVELINESS: Final = 10
REPEATED: Final = 11
TRIED: Final = 12
RECEIPTED: Final = 13
NOTICED: Final = 17
THROTTLED: Final = 18
FILE_REFUSED: Final = 14
RECALLED: Final = 15
IN_TIME: Final = 16
CONSENT: Final = 19
TAINTED: Final = 20
COSIGNED: Final = 21
ANSWERED: Final = 22

INVARIANTS: Final = {
    NO_CRASH: "no part ends with an error of ours",
    NOTHING_LOST: "what was accepted is durable, delivered or reported",
    ONE_EFFECT: "every message has one effect",
    NOTHING_UNSENT: "what is delivered was sent",
    ORACLE: "everybody gets what policy says, and can open no more",
    REVOKED: "nothing goes to or comes from who is revoked",
    NEVER_BACK: "numbers, versions and logs never fall, and every checkpoint grew from those before",
    LEAVES: "every event at the router has one leaf, and every leaf its event",
    BOUNDS: "every window, queue, table and file keeps its bound",
    NO_REMAINS: "nothing runs on after the end of a life",
    LIVELINESS: "once faults are over, all that was accepted settles in ten minutes",
    REPEATED: "one plan has one outcome",
    TRIED: "every kind of fault and recovery was seen in a long soak",
    RECEIPTED: "a receipt speaks of what is on disk",
    NOTICED: "whatever a lying router does is noticed, by whom it was done to and by an auditor",
    THROTTLED: "who sends too much is told so, on record, and delays nobody else",
    FILE_REFUSED: "a file that is damaged, or another's, is never served from",
    RECALLED: "what was recalled goes to nobody and stays with nobody",
    IN_TIME: "nothing is taken up after its end, and no id is used twice",
    CONSENT: "a grant counts for its portions, reader and time, and a request lapses once and alike at both ends",
    TAINTED: "who has erased a recalled report releases nothing more that was made from it",
    COSIGNED: "a joint product goes out with k valid signatures, and is made again without those who left it",
    ANSWERED: "a question is answered once, truthfully, and to nobody but who asked",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """What broke: the invariant's number, at which virtual time, and in words."""

    invariant: int
    at_ms: int
    text: str


@dataclass(slots=True)
class Tolerance:
    """What a plan makes legitimate: clocks that err, revocations and lost writes may have honest messages refused."""

    skewed: bool
    revoking: bool
    expiring: bool = False  # some messages live for seconds
    losing: bool = False  # a disk comes back as it was: what it forgot must be noticed
    lying: bool = False  # the router is hostile: what it does must be noticed, and cannot be prevented
    poisoned: bool = False  # frames arrive that nobody sent, and are rejected
    clock_errors_ms: Mapping[str, int] = field(default_factory=dict)  # by how much whose clock drifts off at most

    @property
    def refusals(self) -> bool:
        """Whether an honest message may be refused."""
        return self.skewed or self.revoking or self.expiring or self.losing
