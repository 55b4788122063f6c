"""Layers L1 and L2: keys that must not be admitted, signatures with two spellings, blobs that open under two keys."""

from collections.abc import Callable
from functools import partial

from conformance import curve
from conformance.evil_book import Book, Made, flip, named, world
from conformance.evil_sealer import EvilSealer, Plan, Portion, content
from conformance.salamander import forge
from schemas.errors import Code
from sealing.primitives import digest, encrypt, keyed, sign

L1 = Book(
    layer="L1",
    notes={
        "WeakKey": {
            "bug": "UNIVERSAL_FORGERY",
            "why": "under a key of small order some libraries accept one signature for every message",
            "refs": ["blinklabs-io/gouroboros#2234", "RFC 8032, 5.1.7"],
        },
        "Malleable": {
            "bug": "MALLEABILITY",
            "why": "a second signature of the same message passes a careless verifier",
        },
        "CrossProtocol": {"bug": "CONFUSION", "why": "a signature made for one purpose is taken for another"},
    },
)
L2 = Book(
    layer="L2",
    notes={
        "KeyCommitment": {
            "bug": "TWO_TEXTS",
            "why": "XChaCha20-Poly1305 does not commit to its key; two readers can be shown two texts under one id",
            "refs": ["c2sp.org/chunked-encryption"],
        },
        "Padding": {"bug": "MALLEABILITY", "why": "a text with two paddings has two blobs"},
        "Truncation": {"bug": "TRUNCATION", "why": "a portion that lost or gained a chunk reads as complete"},
    },
)

ALPHA = world.sign_pair("alpha")
SIGNED = digest(b"sw1 hid", b"header") + digest(b"sw1 wraps", b"wraps")
SIGNATURE = sign(ALPHA.secret, b"sw1 release\0", SIGNED)


# L1: keys.


@L1.accepts("admit-sign-key", "KEY-001", why="control")
def sign_key() -> Made:
    """A sign key as an honest agency makes it."""
    return Made(ALPHA.public)


@L1.accepts("admit-box-key", "KEY-002", why="control")
def box_key() -> Made:
    """A box key as an honest agency makes it."""
    return Made(world.box_pair("alpha").public)


def _key_rows() -> None:
    small = "under such a key one signature verifies every message in some libraries"
    for number, encoded in enumerate(curve.SMALL_ORDER):
        kind = "a point of small order" if number < 8 else "another spelling of a point of small order"  # noqa: PLR2004 - eight points, six spellings
        enter = L1.rejects(Code.KEY_WEAK, "admit-sign-key", "KEY-001", base="sign_key", mutation=kind, why=small,
                           flag="WeakKey")  # fmt: skip
        enter(named(f"sign_key_small_order_{number}", f"{kind.capitalize()}.", partial(Made, encoded)))
    for number, encoded in enumerate(curve.SMALL_ORDER_U):
        enter = L1.rejects(Code.KEY_WEAK, "admit-box-key", "KEY-002", base="box_key", mutation="a u of small order",
                           why="the shared secret is zero, whoever the other end is", flag="WeakKey")  # fmt: skip
        enter(named(f"box_key_small_order_{number}", "A u of small order.", partial(Made, encoded)))
    box = world.box_pair("alpha").public
    others: tuple[tuple[str, str, str, bytes, str], ...] = (
        ("sign_key_with_torsion", "admit-sign-key", "KEY-001", curve.with_torsion(ALPHA.public),
         "A key moved by a point of order 8."),
        ("sign_key_too_short", "admit-sign-key", "KEY-001", ALPHA.public[:31], "A sign key of 31 bytes."),
        ("sign_key_too_long", "admit-sign-key", "KEY-001", ALPHA.public + b"\0", "A sign key of 33 bytes."),
        ("box_key_with_top_bit", "admit-box-key", "KEY-002", box[:31] + bytes([box[31] | 0x80]),
         "A box key with its highest bit set."),
        ("box_key_too_short", "admit-box-key", "KEY-002", box[:31], "A box key of 31 bytes."),
    )  # fmt: skip
    for name, op, req, key, fault in others:
        enter = L1.rejects(Code.KEY_WEAK, op, req, base=op.removeprefix("admit-"), mutation=fault[:-1].lower(),
                           why="one key has one spelling, or two agencies pass for one", flag="WeakKey")  # fmt: skip
        enter(named(name, fault, partial(Made, key)))


_key_rows()


def _signature(signature: bytes, *, purpose: str = "sw1 release", public: bytes = ALPHA.public) -> Made:
    return Made(signature, {"public": public.hex(), "purpose": purpose, "content": SIGNED.hex()})


@L1.accepts("verify-signature", "ENV-021", why="control")
def signature() -> Made:
    """A signature as an honest agency makes it."""
    return _signature(SIGNATURE)


def _signature_rows() -> None:
    identity = bytes([1]) + bytes(31)
    rows: tuple[tuple[str, str, str, str | None, Callable[[], Made]], ...] = (
        ("signature_second_spelling", "ENV-022", "The group order added to S.", "Malleable",
         lambda: _signature(curve.second_spelling(SIGNATURE))),
        ("signature_small_order_r", "ENV-022", "R is the neutral element, S is zero.", "WeakKey",
         lambda: _signature(identity + bytes(32))),
        ("signature_under_neutral_key", "ENV-022", "Key and R neutral, S zero: verifies anything where not refused.",
         "WeakKey", lambda: _signature(identity + bytes(32), public=identity)),
        ("signature_all_zero", "ENV-061", "64 zero bytes.", None, lambda: _signature(bytes(64))),
        ("signature_too_short", "ENV-061", "63 bytes.", None, lambda: _signature(SIGNATURE[:63])),
        ("signature_of_another", "ENV-061", "Another agency's signature.", None,
         lambda: _signature(sign(world.sign_pair("bravo").secret, b"sw1 release\0", SIGNED))),
        ("signature_for_another_purpose", "ENV-021", "A co-signature presented as a release.", "CrossProtocol",
         lambda: _signature(sign(ALPHA.secret, b"sw1 cosign\0", SIGNED))),
        ("signature_without_purpose", "ENV-021", "Signed without a purpose.", "CrossProtocol",
         lambda: _signature(sign(ALPHA.secret, b"", SIGNED))),
        ("signature_purpose_without_end", "ENV-021", "Signed without the zero byte behind the purpose.",
         "CrossProtocol", lambda: _signature(sign(ALPHA.secret, b"sw1 release", SIGNED))),
        ("signature_bit_turned", "ENV-061", "One bit of R turned.", None, lambda: _signature(flip(3)(SIGNATURE))),
    )  # fmt: skip
    for name, req, fault, flag, make in rows:
        enter = L1.rejects(Code.BAD_SIG, "verify-signature", req, base="signature", mutation=fault[:-1], flag=flag,
                           why="whoever can make this speaks in the originator's name")  # fmt: skip
        enter(named(name, fault, make))


_signature_rows()


# L2: blobs.


def _portion(chunk_bytes: int | None = None, **hooks: Callable[[object], object]) -> Portion:
    plan = Plan(name="portion", labels=(world.LABEL,), chunk_bytes=chunk_bytes,
                hooks={name.replace("_", "-"): hook for name, hook in hooks.items()})  # fmt: skip
    return EvilSealer(plan).seal().portions[0]


def _inline(
    blob: bytes, portion: Portion, *, key: bytes | None = None, place: int = 0, text: bytes | None = None
) -> Made:
    return Made(blob, {"key": (key or portion.key).hex(), "place": place}, None if text is None else (text,))


@L2.accepts("open-inline", "ENV-032", "ENV-033", "ENV-034", "ENV-035", why="control")
def blob() -> Made:
    """A blob as an honest agency makes it."""
    portion = _portion()
    return _inline(portion.blob, portion, text=content("Part 1"))


@L2.accepts("open-inline", "ENV-034", base="blob", mutation="255 bytes of text", why="the marker fills the block")
def blob_padded_by_marker_alone() -> Made:
    """A text that leaves room for the marker alone."""
    portion = _portion(plaintext=lambda _text: b"t" * 255)
    return _inline(portion.blob, portion, text=b"t" * 255)


@L2.accepts("open-inline", "ENV-034", base="blob", mutation="256 bytes of text", why="a whole block of padding follows")
def blob_padded_by_whole_block() -> Made:
    """A text of a whole block, which needs a block of padding."""
    portion = _portion(plaintext=lambda _text: b"t" * 256)
    return _inline(portion.blob, portion, text=b"t" * 256)


def _salamander() -> tuple[Portion, bytes, bytes]:
    """Make a blob that commits to one key and authenticates under two."""
    portion = _portion()
    other = world.secret("the salamander's other key")
    keys = (_encryption_key(portion.key), _encryption_key(other))
    return portion, other, portion.blob[:32] + forge(portion.blob[32:-16], keys)


def _encryption_key(key: bytes) -> bytes:
    return keyed(b"sw1 key", key, bytes(2), size=64)[:32]


def _padding_row(padded: bytes) -> Callable[[], Made]:
    def make() -> Made:
        portion = _portion(padded=lambda _padded: padded)
        return _inline(portion.blob, portion)

    return make


def _inline_rows() -> None:
    portion = _portion()
    text = content("Part 1")
    two_texts = "without the comparison one blob opens to two texts"
    forged = "a text that does not authenticate was not written by the originator"
    padding = "what is not the one padding lets a text be changed in size unseen"
    rows: tuple[tuple[str, Code, str, str, str, str | None, Callable[[], Made]], ...] = (
        ("salamander", Code.COMMITMENT, "ENV-042", "A ciphertext that authenticates under two keys, and the other key.",
         two_texts, "KeyCommitment", lambda: _inline(_salamander()[2], portion, key=_salamander()[1])),
        ("blob_key_of_another", Code.COMMITMENT, "ENV-042", "The key of another portion.", two_texts, "KeyCommitment",
         lambda: _inline(portion.blob, portion, key=world.secret("another"))),
        ("blob_at_another_place", Code.COMMITMENT, "ENV-032", "The portion's key, used at another place.",
         "the place is part of what the key is for", "KeyCommitment", lambda: _inline(portion.blob, portion, place=1)),
        ("blob_commitment_turned", Code.COMMITMENT, "ENV-042", "One bit of the key commitment turned.", two_texts,
         "KeyCommitment", lambda: _inline(flip(5)(portion.blob), portion)),
        ("blob_without_commitment", Code.COMMITMENT, "ENV-042", "The ciphertext alone.", two_texts, "KeyCommitment",
         lambda: _inline(portion.blob[32:], portion)),
        ("blob_empty", Code.COMMITMENT, "ENV-042", "No bytes.", two_texts, None, lambda: _inline(b"", portion)),
        ("blob_tag_turned", Code.BAD_TAG, "ENV-043", "One bit of the tag turned.", forged, None,
         lambda: _inline(flip(-1)(portion.blob), portion)),
        ("blob_tag_cut", Code.BAD_TAG, "ENV-043", "A tag of 15 bytes.", forged, None,
         lambda: _inline(portion.blob[:-1], portion)),
        ("blob_commitment_alone", Code.BAD_TAG, "ENV-043", "No ciphertext behind the commitment.", forged, None,
         lambda: _inline(portion.blob[:32], portion)),
        ("blob_with_additional_bytes", Code.BAD_TAG, "ENV-035", "A byte behind the tag.", forged, None,
         lambda: _inline(portion.blob + b"\0", portion)),
        ("padding_missing", Code.CONTENT, "ENV-044", "A whole block of text without padding.", padding, "Padding",
         _padding_row(b"t" * 256)),
        ("padding_not_zero", Code.CONTENT, "ENV-044", "Padding that is not zero.", padding, "Padding",
         _padding_row(text + b"\x80" + b"\1" * (255 - len(text)))),
        ("padding_block_too_many", Code.CONTENT, "ENV-044", "A block of padding more than is needed.", padding,
         "Padding", _padding_row(text + b"\x80" + bytes(511 - len(text)))),
        ("padding_not_a_block", Code.CONTENT, "ENV-044", "Padding to no whole block.", padding, "Padding",
         _padding_row(text + b"\x80" + bytes(9))),
        ("padding_empty", Code.CONTENT, "ENV-044", "No text and no padding.", padding, "Padding", _padding_row(b"")),
    )  # fmt: skip
    for name, code, req, fault, why, flag, make in rows:
        enter = L2.rejects(code, "open-inline", req, base="blob", mutation=fault[:-1], why=why, flag=flag)
        enter(named(name, fault, make))


_inline_rows()

LONG = content("Long" * 150)


def _chunked(*, take: Callable[[tuple[bytes, ...]], tuple[bytes, ...]] | None = None, nonces: bool = True) -> Made:
    portion = _portion(256, plaintext=lambda _text: LONG, **({} if nonces else {"nonces": _early_end}))
    chunks = portion.chunks if take is None else take(portion.chunks)
    context = {"key": portion.key.hex(), "place": 0, "chunks": [chunk.hex() for chunk in chunks]}
    return Made(portion.blob, context, (LONG,))


def _broken(take: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> Made:
    """Give the reader other chunks than those of the manifest."""
    return _chunked(take=take)._replace(plaintexts=None)


def _early_end(nonces: object) -> object:
    assert isinstance(nonces, list)
    return [bytes(8) + b"\1" + bytes(15), *nonces[1:]]


@L2.accepts("open-chunked", "CHK-002", "CHK-004", why="control")
def chunks() -> Made:
    """A portion in chunks as an honest agency makes it."""
    return _chunked()


def _chunk_rows() -> None:
    other = EvilSealer(Plan(name="other", labels=(world.LABEL,), contents=(LONG,), chunk_bytes=256)).seal().portions[0]
    rows: tuple[tuple[str, str, Callable[[tuple[bytes, ...]], tuple[bytes, ...]]], ...] = (
        ("chunk_last_dropped", "The last chunk is missing.", lambda all_: all_[:-1]),
        ("chunk_first_dropped", "The first chunk is missing.", lambda all_: all_[1:]),
        ("chunks_swapped", "Two chunks changed places.", lambda all_: (all_[1], all_[0], *all_[2:])),
        ("chunk_twice", "The first chunk comes twice.", lambda all_: (all_[0], *all_)),
        ("chunk_of_another", "The first chunk of another portion.", lambda all_: (other.chunks[0], *all_[1:])),
        ("chunk_after_the_last", "A chunk after the last.", lambda all_: (*all_, encrypt(bytes(32), b""))),
        ("chunk_truncated", "A chunk lost its last byte.", lambda all_: (all_[0][:-1], *all_[1:])),
        ("chunk_bit_turned", "One bit of a chunk turned.", lambda all_: (flip(0)(all_[0]), *all_[1:])),
        ("chunks_none", "No chunks at all.", lambda _all: ()),
    )
    for name, fault, take in rows:
        enter = L2.rejects(Code.CHUNK, "open-chunked", "CHK-004", base="chunks", mutation=fault[:-1], flag="Truncation",
                           why="a reader would take a part for the whole")  # fmt: skip
        enter(named(name, fault, partial(_broken, take)))


_chunk_rows()


@L2.rejects(Code.BAD_TAG, "open-chunked", "CHK-002", base="chunks", mutation="nonce of chunk 0 says it is the last",
            why="a chunk that can stand at the end can end a portion early", flag="Truncation")  # fmt: skip
def chunk_says_it_is_the_last() -> Made:
    """The first chunk was sealed as the last."""
    return _chunked(nonces=False)._replace(plaintexts=None)


@L2.rejects(Code.COMMITMENT, "open-chunked", "ENV-042", base="chunks", mutation="key of another portion",
            why="without the comparison one manifest opens to two texts", flag="KeyCommitment")  # fmt: skip
def chunks_under_another_key() -> Made:
    """The key of another portion."""
    made = _chunked()
    return Made(made.input, {**made.context, "key": world.secret("another").hex()})
