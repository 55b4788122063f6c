"""A reader's cut of an envelope: its own wrap, its own disclosures, its own blobs, and nothing of anybody else's.

Readers with the same portions share everything but the wrap, so that part is packed once for all of them; the joined
bytes are the canonical encoding of the cut (docs/spec/router.md, "Cuts").
"""

from dataclasses import dataclass

from schemas.codec import pack
from schemas.envelope import Wrap

_ARRAY_OF_SEVEN = b"\x97"
_ARRAY_OF_ONE = b"\x91"
_SHARED_KEPT = 16  # a report has a handful of audiences; a thousand of them, each with all blobs, would fill memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The parts that cuts of one release are made of; disclosures and blobs by place, the seed for co-signers alone."""

    header: bytes
    wraps_hash: bytes
    signature: bytes
    cosignatures: tuple[bytes | None, ...]
    disclosures: dict[int, bytes]
    blobs: dict[int, bytes]
    cosigners: tuple[str, ...] = ()
    seed: bytes | None = None


class Cutter:
    """Makes the cuts of one release."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._shared: dict[tuple[int, bytes | None], tuple[bytes, bytes]] = {}

    def cut(self, wrap: Wrap) -> bytes:
        """Return the envelope for one reader."""
        # No decoy seed to others: a reader must not be able to tell a decoy from a withheld portion; a co-signer must.
        seed = self._release.seed if wrap.to in self._release.cosigners else None
        shared = self._shared.get((wrap.bits, seed))
        if shared is None:
            shared = self._shared[wrap.bits, seed] = self._pack_shared(wrap.bits, seed)
            if len(self._shared) > _SHARED_KEPT:
                del self._shared[next(iter(self._shared))]
        before, after = shared
        return before + pack(_ARRAY_OF_ONE + pack(wrap)) + after

    def _pack_shared(self, bits: int, seed: bytes | None) -> tuple[bytes, bytes]:
        release = self._release
        places = [place for place in sorted(release.disclosures) if bits >> place & 1]
        before = b"".join(
            (
                _ARRAY_OF_SEVEN,
                pack(release.header),
                pack(release.wraps_hash),
                pack(release.signature),
                pack(release.cosignatures),
                pack((seed, [(place, release.disclosures[place]) for place in places])),
            )
        )
        return before, pack([release.blobs[place] for place in places])
