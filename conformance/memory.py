"""Memories that live as long as one vector: the interfaces of the router's and the node's store, in dictionaries."""

from collections import Counter

from agencies.state import Accepted, HeldMessage
from broker.state import Admitted, KnownMessage, KnownProposal
from schemas.frames import VerdictMessage
from schemas.workflow import Grant


class MemoryState:
    """What ``RouterCore`` asks of its store (``broker.state.RouterState``)."""

    def __init__(self) -> None:
        self._messages: dict[bytes, KnownMessage] = {}
        self._verdicts: dict[tuple[bytes, bytes], VerdictMessage] = {}
        self._readers: dict[bytes, frozenset[str]] = {}
        self._overrides: Counter[tuple[bytes, str]] = Counter()
        self._proposals: dict[bytes, KnownProposal] = {}
        self._opposed: set[bytes] = set()

    def verdict_on(self, hid: bytes, wraps_hash: bytes) -> VerdictMessage | None:
        """Return the verdict already given on this release, if any."""
        return self._verdicts.get((hid, wraps_hash))

    def message(self, hid: bytes) -> KnownMessage | None:
        """Return an admitted message, if it is known."""
        return self._messages.get(hid)

    def past_readers(self, hid: bytes) -> frozenset[str]:
        """Return everybody to whom any portion of the message was ever queued."""
        return self._readers.get(hid, frozenset())

    def proposal(self, hid: bytes) -> KnownProposal | None:
        """Return an admitted proposal."""
        return self._proposals.get(hid)

    def unopposed(self, originator: str, terms: bytes, *, at_ms: int) -> tuple[tuple[bytes, KnownProposal], ...]:
        """Return the proposals of these terms that nobody objected to; here everybody has what was sent at once."""
        return tuple(
            (hid, known)
            for hid, known in sorted(self._proposals.items())
            if known.terms == terms
            and known.originator == originator
            and known.object_by < at_ms <= known.expires
            and hid not in self._opposed
        )

    def next_decision(self, author: str) -> int:
        """Return the number that the next decision on a release of this author will have."""
        return 1 + sum(self._messages[hid].originator == author for hid, _ in self._verdicts)

    def overrides_of(self, hid: bytes, *, by: str) -> int:
        """Return how many overrides of the message by this agency were admitted."""
        return self._overrides[hid, by]

    def keep(self, admitted: Admitted) -> None:
        """Keep an accepted release, and carry a recall out."""
        blobs = {portion.place: portion.blob for portion in admitted.portions if portion.blob is not None}
        known = KnownMessage(
            originator=admitted.originator, kind=admitted.kind, recalled=False, blobs=blobs,
            cosigners=admitted.cosigners,
        )  # fmt: skip
        self._messages.setdefault(admitted.hid, known)
        self._verdicts[admitted.hid, admitted.wraps_hash] = admitted.message
        if admitted.overridden is not None and not admitted.re_release:
            self._overrides[admitted.overridden.hid, admitted.originator] += 1
        readers = frozenset(row.wrap.to for row in admitted.rows)
        self._readers[admitted.hid] = self._readers.get(admitted.hid, frozenset()) | readers
        if admitted.proposal is not None:
            self._proposals[admitted.hid] = admitted.proposal
        if admitted.kind == "objection" and admitted.ref is not None:
            self._opposed.add(admitted.ref)
        if admitted.kind == "recall" and admitted.ref in self._messages:
            self._messages[admitted.ref] = self._messages[admitted.ref]._replace(recalled=True, blobs={})


class MemoryInbox:
    """What ``NodeCore`` asks of its store (``agencies.state.NodeState``)."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], bytes] = {}
        self._held: dict[bytes, HeldMessage] = {}

    def seen(self, originator: str, seq: int) -> bytes | None:
        """Return the id of the message that came with this sequence number, if one did."""
        return self._seen.get((originator, seq))

    def highest_seq(self, originator: str) -> int:
        """Return the highest sequence number that came from an originator; 0 if none did."""
        return max((seq for name, seq in self._seen if name == originator), default=0)

    def held(self, hid: bytes) -> HeldMessage | None:
        """Return a message of the inbox."""
        return self._held.get(hid)

    def offered_to(self, _hid: bytes) -> dict[str, int]:
        """Return nobody: what a vector hands to a node was made by others."""
        return {}

    def grants(self, _hid: bytes) -> tuple[Grant, ...]:
        """Return none: what a vector hands to a node is decided by the label alone."""
        return ()

    def keep(self, accepted: Accepted) -> None:
        """Keep what a node took up, and carry a recall out."""
        header = accepted.header
        self._seen[accepted.originator, accepted.seq] = accepted.hid
        self._held[accepted.hid] = HeldMessage(
            accepted.hid, accepted.originator, header.kind, accepted.bits, recalled=False
        )
        if header.kind == "recall" and header.ref is not None:
            # A recall of what has not come is kept, and by whom: it counts if the message turns out to be theirs.
            unseen = HeldMessage(header.ref, accepted.originator, "", 0, recalled=True)
            self._held[header.ref] = self._held.get(header.ref, unseen)._replace(recalled=True)
