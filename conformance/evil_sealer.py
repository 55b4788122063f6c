"""A second sealer, written from the specification alone, that can be told to go wrong at any one step.

Each step hands its result to a hook before the next one uses it, so that what follows from a fault is right again: a
header that lies is hashed, committed to and signed like an honest one. Without hooks it makes the same bytes as
``sealing.seal``, and a test holds it to that.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from conformance import world
from schemas.codec import pack, unpack
from schemas.label import Label
from schemas.report import Passage, PortionContent
from sealing.entropy import shuffled
from sealing.pairs import PairKeys
from sealing.primitives import digest, encrypt, keyed, sign

BLOCK_BYTES: Final = 256
PLACES: Final = (1, 2, 4, 8, 16, 32)

Hook = Callable[[Any], Any]


class Only(NamedTuple):
    """A hook for one call of its step alone, counted from 0."""

    call: int
    hook: Hook


class Portion(NamedTuple):
    """A sealed portion, all its steps laid open."""

    place: int
    key: bytes
    disclosure: bytes
    commitment: bytes
    blob: bytes
    chunks: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A sealed message: what releases and cuts are made from."""

    header: bytes
    hid: bytes
    by: tuple[str, ...]
    seed: bytes
    portions: tuple[Portion, ...]

    def bits(self, *positions: int) -> int:
        """Return the bit mask of the portions written at these positions."""
        return sum(1 << self.portions[position].place for position in positions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An honest message; a vector changes one thing of it or hooks one step."""

    name: str = "base"
    kind: str = "report"
    by: tuple[str, ...] = ("alpha",)
    ts: int = world.NOW
    exp: int = world.NOW + world.DAY_MS
    bv: int = world.BUNDLE_VERSION
    ref: bytes | None = None
    labels: tuple[Label, ...] = (world.LABEL, world.LABEL, world.HIGH)
    contents: tuple[bytes, ...] | None = None
    readers: tuple[tuple[str, tuple[int, ...]], ...] = (("bravo", (0, 1)), ("charlie", (0, 1, 2)))
    seq: int = 1
    cosigners: tuple[str, ...] = ()
    with_blobs: bool = True
    chunk_bytes: int | None = None  # None: every portion inline
    hooks: Mapping[str, Hook | Only] = field(default_factory=dict)


def content(title: str) -> bytes:
    """Return the packed content of a plain portion."""
    return pack(PortionContent("EXERCISE", title, (Passage(None, f"{title}: two boats seen."),)))


class EvilSealer:
    """Seals and releases by a plan, and goes wrong where the plan hooks a step."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._entropy = world.ScriptedEntropy(plan.name)
        self._calls: Counter[str] = Counter()

    def _step(self, name: str, value: Any) -> Any:
        hook = self.plan.hooks.get(name)
        call = self._calls[name]
        self._calls[name] += 1
        if isinstance(hook, Only):
            return hook.hook(value) if hook.call == call else value
        return value if hook is None else hook(value)

    def seal(self) -> Sealed:
        """Make header and portions. Steps: portions' own, then commitments, header-fields, header, hid."""
        plan = self.plan
        contents = plan.contents
        if contents is None:
            contents = tuple(content(f"Part {number}") for number in range(1, len(plan.labels) + 1))
        least = max(len(contents), 4 if plan.kind in {"report", "rfi", "answer"} else 1)
        count = next(places for places in PLACES if places >= least)
        places = shuffled(self._entropy, count)
        seed = self._entropy.take(32)
        portions = tuple(
            self._portion(plaintext, label, place)
            for place, label, plaintext in zip(places, plan.labels, contents, strict=False)
        )
        commitments = {portion.place: portion.commitment for portion in portions}
        listed = tuple(
            commitments.get(place) or digest(b"sw1 decoy", seed + place.to_bytes(2, "big")) for place in range(count)
        )
        listed = self._step("commitments", listed)
        fields = self._step("header-fields", (1, plan.kind, plan.by, plan.ts, plan.exp, plan.bv, plan.ref, listed))
        header = self._step("header", pack(fields))
        return Sealed(
            header=header,
            hid=self._step("hid", digest(b"sw1 hid", header)),
            by=plan.by,
            seed=self._step("seed", seed),
            portions=portions,
        )

    def _portion(self, plaintext: bytes, label: Label, place: int) -> Portion:
        """Seal a portion.

        Steps: key-place, key-commitment, plaintext, padded, ciphertext, nonces, chunks, blob, disclosure-fields,
        disclosure, commitment.
        """
        key = self._entropy.take(32)
        derived = keyed(b"sw1 key", key, self._step("key-place", place).to_bytes(2, "big"), size=64)
        encryption_key, key_commitment = derived[:32], self._step("key-commitment", derived[32:])
        plaintext = self._step("plaintext", plaintext)
        padded = self._step("padded", plaintext + b"\x80" + bytes(-(len(plaintext) + 1) % BLOCK_BYTES))
        chunks: tuple[bytes, ...] = ()
        if self.plan.chunk_bytes is None:
            blob = key_commitment + self._step("ciphertext", encrypt(encryption_key, padded))
        else:
            chunks = self._step("chunks", self._chunks(encryption_key, padded, self.plan.chunk_bytes))
            blob = key_commitment + b"".join(digest(b"sw1 chunk", chunk) for chunk in chunks)
        blob = self._step("blob", blob)
        fields = (self._entropy.take(16), label, digest(b"sw1 blob", blob), len(chunks))
        disclosure = self._step("disclosure", pack(self._step("disclosure-fields", fields)))
        return Portion(
            place=place,
            key=key,
            disclosure=disclosure,
            commitment=self._step("commitment", digest(b"sw1 portion", disclosure)),
            blob=blob,
            chunks=chunks,
        )

    def _chunks(self, key: bytes, padded: bytes, size: int) -> tuple[bytes, ...]:
        pieces = [padded[start : start + size] for start in range(0, len(padded), size)]
        last = len(pieces) - 1
        nonces = [number.to_bytes(8, "big") + bytes([number == last]) + bytes(15) for number in range(len(pieces))]
        nonces = self._step("nonces", nonces)
        return tuple(encrypt(key, piece, nonce=nonce) for piece, nonce in zip(pieces, nonces, strict=True))

    def release(self, sealed: Sealed) -> bytes:
        """Release to the plan's readers.

        Steps: wrap-list, wraps, wraps-hash, signed, signature, cosignatures, disclosed, blobs, envelope-fields,
        envelope.
        """
        plan = self.plan
        listed = self._step("wrap-list", [self._wrap(sealed, to, positions) for to, positions in plan.readers])
        wraps = self._step("wraps", pack(listed))
        wraps_hash = self._step("wraps-hash", digest(b"sw1 wraps", wraps))
        signed = self._step("signed", b"sw1 release\0" + sealed.hid + wraps_hash)
        signature = self._step("signature", sign(world.sign_pair(plan.by[0]).secret, b"", signed))
        cosignatures = self._step("cosignatures", self._cosignatures(sealed))
        by_place = sorted(sealed.portions)
        disclosed = self._step("disclosed", [(portion.place, portion.disclosure) for portion in by_place])
        blobs = self._step("blobs", [portion.blob for portion in by_place] if plan.with_blobs else [])
        fields = (sealed.header, wraps_hash, signature, cosignatures, (sealed.seed, disclosed), wraps, blobs)
        return bytes(self._step("envelope", pack(self._step("envelope-fields", fields))))

    def _cosignatures(self, sealed: Sealed) -> tuple[bytes | None, ...]:
        return tuple(
            sign(world.sign_pair(name).secret, b"sw1 cosign\0", sealed.hid) if name in self.plan.cosigners else None
            for name in sealed.by[1:]
        )

    def _wrap(self, sealed: Sealed, to: str, positions: Sequence[int]) -> tuple[Any, ...]:
        """Make one wrap. Steps: wrap-keys, wrap-context, wrap."""
        bits = sealed.bits(*positions)
        keys = b"".join(portion.key for portion in sorted(sealed.portions) if bits >> portion.place & 1)
        author = self.plan.by[0]
        mine, theirs = world.box_pair(author), world.boxes().at_epoch(to, world.EPOCH, now_ms=world.NOW)
        pair = self._step("pair-key", PairKeys(author).to_reader(mine, to, theirs))
        context = sealed.hid + self.plan.seq.to_bytes(8, "big") + bits.to_bytes(8, "big")
        key = keyed(b"sw1 wrap", pair, self._step("wrap-context", context))
        ciphertext = encrypt(key, self._step("wrap-keys", keys))
        return tuple(self._step("wrap", (to, world.EPOCH, world.EPOCH, bits, self.plan.seq, ciphertext)))


def cut(envelope: bytes, reader: str, hooks: Mapping[str, Hook] | None = None) -> bytes:
    """Return a reader's cut of an envelope, as an honest router makes it, unless a step is hooked.

    Steps: cut-disclosed, cut-wraps, cut-blobs, cut-fields, cut.
    """
    hooks = hooks or {}

    def step(name: str, value: Any) -> Any:
        return hooks[name](value) if name in hooks else value

    header, wraps_hash, signature, cosignatures, (_, disclosed), wraps, blobs = unpack(
        envelope, bytes_max=len(envelope)
    )
    mine = [wrap for wrap in unpack(wraps, bytes_max=len(wraps)) if wrap[0] == reader]
    bits = mine[0][3] if mine else 0
    kept = [index for index, (place, _) in enumerate(disclosed) if bits >> place & 1]
    fields = (
        header,
        wraps_hash,
        signature,
        cosignatures,
        (step("cut-seed", None), step("cut-disclosed", [disclosed[index] for index in kept])),
        pack(step("cut-wraps", mine)),
        step("cut-blobs", [blobs[index] for index in kept]),
    )
    return bytes(step("cut", pack(step("cut-fields", fields))))
