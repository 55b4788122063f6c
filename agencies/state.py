"""What a node's core asks of its memory, and what it answers: data only."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from schemas.envelope import Header
from schemas.label import Label
from schemas.workflow import Grant
from sealing.opening import OpenedPortion


class HeldMessage(NamedTuple):
    """A message in the inbox, or the recall of one that has not come; ``ref`` is what it corrects."""

    hid: bytes
    originator: str
    kind: str
    bits: int
    recalled: bool
    ref: bytes | None = None


class NodeState(Protocol):
    """A node's memory, as far as judging an arrival needs it."""

    def seen(self, originator: str, seq: int) -> bytes | None:
        """Return the id of the message that came with this sequence number, if one did."""
        ...

    def highest_seq(self, originator: str) -> int:
        """Return the highest sequence number that came from an originator; 0 if none did."""
        ...

    def held(self, hid: bytes) -> HeldMessage | None:
        """Return a message of the inbox."""
        ...

    def offered_to(self, hid: bytes) -> dict[str, int]:
        """Return everybody to whom a message of ours was released, with the bits; nobody if it is not ours."""
        ...

    def grants(self, hid: bytes) -> tuple[Grant, ...]:
        """Return every grant of a message that is known here."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Misrelease:
    """A portion that should not have come: the router or the originator gave what policy forbids."""

    place: int
    label: Label
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An arrival that proved itself. ``portions`` are those this agency may have; ``missing`` counts a gap."""

    hid: bytes
    header: Header
    originator: str
    seq: int
    bits: int
    portions: tuple[OpenedPortion, ...]
    misreleases: tuple[Misrelease, ...]
    missing: int
    cosigned: tuple[str, ...] = ()  # those of the named co-signers who have signed this copy


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """An arrival that did not. ``hid`` and ``originator`` are claims, None where not even they could be read."""

    hid: bytes | None
    originator: str | None
    code: str
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """An arrival that was accepted before: acknowledged again, and without effect."""

    hid: bytes


Judged = Accepted | Rejected | Duplicate
