"""False messages: reports in somebody else's name, and the cuts of them that a router that lies would hand out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agencies.keyring import Keys
from broker.cuts import Cutter, Release
from scenarios.model import ContentPortion
from schemas.codec import pack, read_shape, unpack
from schemas.envelope import Envelope
from schemas.errors import RemoteError
from schemas.limits import ENVELOPE_BYTES_MAX
from sealing.directory import BoxDirectory
from sealing.entropy import Entropy
from sealing.pairs import PairKeys
from sealing.received import Received, read_envelope
from sealing.seal import Reader, SealedMessage, release, seal

_LIFETIME_MS: Final = 24 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgery:
    """A message of red's making: the envelope for the router, and the cut for each reader's door."""

    hid: bytes
    envelope: bytes
    cuts: dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forger:
    """With what keys and under whose name red writes.

    Attributes:
        name: Who is said to have written it.
        keys: Red's own, or those that it stole.
        boxes: The box keys of the readers, as everybody can look them up.
        first_seq: The number that its wraps begin with, by reader.
    """

    name: str
    keys: Keys
    boxes: BoxDirectory
    first_seq: dict[str, int]

    def forge(
        self,
        material: Sequence[ContentPortion],
        readers: Sequence[str],
        *,
        now_ms: int,
        bundle_version: int,
        entropy: Entropy,
        signature: bytes | None = None,
    ) -> Forgery:
        """Write a report in that name; readers that have announced no box key get none.

        Args:
            material: What it says.
            readers: For whom.
            now_ms: Exercise time, Unix ms.
            bundle_version: Of the bundle that it claims to go by.
            entropy: Where its keys come from.
            signature: Copied from elsewhere; red's own where there is none.

        Raises:
            SealError: If it cannot be sealed, or none of the readers has a key.
        """
        sealed = seal(
            [(portion.label, pack(portion.content)) for portion in material],
            kind="report",
            by=(self.name,),
            ts=now_ms,
            exp=now_ms + _LIFETIME_MS,
            bundle_version=bundle_version,
            entropy=entropy,
        )
        envelope = release(sealed, self._readers(sealed, readers, now_ms), signer=self.keys.signer)
        if signature is not None:
            envelope = _with_signature(envelope, signature)
        return Forgery(hid=sealed.hid, envelope=envelope, cuts=cuts_of(envelope))

    def _readers(self, sealed: SealedMessage, readers: Sequence[str], now_ms: int) -> list[Reader]:
        pairs, mine = PairKeys(self.name), self.keys.current(now_ms=now_ms)
        found = []
        for reader in sorted(readers):
            try:
                theirs = self.boxes.current(reader, now_ms=now_ms)
            except RemoteError:
                continue
            found.append(
                Reader(
                    to=reader,
                    bits=sealed.bits(range(len(sealed.portions))),
                    seq=self.first_seq.get(reader, 1),
                    from_epoch=mine.epoch,
                    to_epoch=theirs.epoch,
                    pair_key=pairs.to_reader(mine, reader, theirs),
                )
            )
        return found


def cuts_of(envelope: bytes) -> dict[str, bytes]:
    """Return what a router would make of an envelope for each of its readers."""
    received = read_envelope(envelope)
    whole = received.envelope
    cutter = Cutter(
        Release(
            header=whole.header,
            wraps_hash=whole.wraps_hash,
            signature=whole.signature,
            cosignatures=whole.cosignatures,
            disclosures={portion.place: portion.received for portion in received.portions},
            blobs={portion.place: portion.blob for portion in received.portions if portion.blob is not None},
        )
    )
    return {wrap.to: cutter.cut(wrap) for wrap in received.wraps}


def newest_report(envelopes: Sequence[bytes], *, of: str | None = None) -> tuple[bytes, Received] | None:
    """Return the newest report among captured envelopes or cuts; of one originator if it is named."""
    for envelope in reversed(envelopes):
        received = read_envelope(envelope)
        if received.header.kind == "report" and of in {None, received.originator}:
            return envelope, received
    return None


def last_numbers(envelopes: Sequence[bytes]) -> dict[str, int]:
    """Return the highest number that an agency has used for each reader: numbers stand in the open."""
    found: dict[str, int] = {}
    for envelope in envelopes:
        for wrap in read_envelope(envelope).wraps:
            found[wrap.to] = max(wrap.seq, found.get(wrap.to, 0))
    return found


def _with_signature(envelope: bytes, signature: bytes) -> bytes:
    whole = read_shape(Envelope, unpack(envelope, bytes_max=ENVELOPE_BYTES_MAX))
    return pack(whole._replace(signature=signature))
