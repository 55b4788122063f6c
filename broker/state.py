"""What the router core asks of its memory, and what it answers: data only, no database and no network.

The store (broker/store.py) keeps this on disk; tests and later the simulation may keep it elsewhere.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from schemas.envelope import Kind, Wrap
from schemas.frames import RouterVerdict, VerdictMessage
from schemas.label import Label
from schemas.workflow import Permission


class KnownMessage(NamedTuple):
    """A message that was admitted before; ``blobs`` by place, empty once it is recalled."""

    originator: str
    kind: Kind
    recalled: bool
    blobs: dict[int, bytes]
    cosigners: tuple[str, ...] = ()


class KnownProposal(NamedTuple):
    """A silence procedure that was opened; ``terms`` is the hash of what it would let go. Times are Unix ms."""

    originator: str
    mechanism: str
    terms: bytes | None
    object_by: int
    expires: int


class PermittedRelease(NamedTuple):
    """A permission, and the proposal that it follows from."""

    proposal: bytes
    permission: Permission


class RouterState(Protocol):
    """The router's memory, as far as admitting a message needs it."""

    def verdict_on(self, hid: bytes, wraps_hash: bytes) -> VerdictMessage | None:
        """Return the verdict already given on this release, if any."""
        ...

    def message(self, hid: bytes) -> KnownMessage | None:
        """Return an admitted message, if it is known and not yet expired."""
        ...

    def past_readers(self, hid: bytes) -> frozenset[str]:
        """Return everybody to whom any portion of the message was ever queued."""
        ...

    def overrides_of(self, hid: bytes, *, by: str) -> int:
        """Return how many overrides of the message by this agency were admitted."""
        ...

    def proposal(self, hid: bytes) -> KnownProposal | None:
        """Return an admitted proposal."""
        ...

    def unopposed(self, originator: str, terms: bytes, *, at_ms: int) -> tuple[tuple[bytes, KnownProposal], ...]:
        """Return the proposals of these terms that every member had in time and none of them objected to."""
        ...

    def next_decision(self, author: str) -> int:
        """Return the number that the next decision on a release of this author will have, from 1."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PortionDecision:
    """What was decided on one portion: its label, and who may have it of those the author named."""

    place: int
    label: Label
    permitted: tuple[str, ...]


class QueueRow(NamedTuple):
    """One reader's share of a release: enough to make its cut again after a restart."""

    wrap: Wrap
    precedence: int  # 0 ROUTINE … 3 FLASH: the highest among the portions it gets


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPortion:
    """A portion to keep: its disclosure's bytes, and its blob unless the message was known already."""

    place: int
    disclosure: bytes
    blob: bytes | None
    chunks: int


class Overridden(NamedTuple):
    """The report of which an override gives away position and danger, whose it is, and under which authority."""

    hid: bytes
    originator: str
    authority: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Everything that one transaction has to hold for an accepted release."""

    hid: bytes
    kind: Kind
    originator: str
    ref: bytes | None
    exp: int
    header: bytes
    wraps_hash: bytes
    signature: bytes
    cosignatures: tuple[bytes | None, ...]
    cosigners: tuple[str, ...]
    seed: bytes | None
    portions: tuple[NewPortion, ...]
    rows: tuple[QueueRow, ...]
    decisions: tuple[PortionDecision, ...]
    re_release: bool
    verdict: RouterVerdict
    message: VerdictMessage
    overridden: Overridden | None = None
    proposal: KnownProposal | None = None
    let_go: tuple[PermittedRelease, ...] = ()  # what went to partners since no member had objected


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A refusal. ``hid`` is None where the envelope could not even be read; such a one gets no verdict."""

    hid: bytes | None
    wraps_hash: bytes | None
    originator: str
    code: str
    stage: str
    verdict: RouterVerdict | None
    message: VerdictMessage | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """The release was decided before; the author missed the verdict and gets the same one again."""

    message: VerdictMessage


Decided = Admitted | Refused | Repeated
