"""Layer L3, the reader's side: cuts of honest and dishonest envelopes, by honest and dishonest routers."""

from typing import Any

from conformance.evil_book import Made, Row, always, change, enter_rows, envelope, flip, note, put, read, sealed, world
from conformance.evil_envelopes import L3
from conformance.evil_sealer import EvilSealer, Hook, Only, Plan, content, cut
from conformance.salamander import forge
from schemas.codec import pack
from schemas.errors import Code
from schemas.report import Passage, PortionContent
from sealing.pairs import PairKeys
from sealing.primitives import encrypt, keyed


def _in_order(*positions: int) -> tuple[bytes, ...]:
    """Return the plain message's texts in order of place, as a reader releases them."""
    message, _ = sealed()
    return tuple(content(f"Part {at + 1}") for at in sorted(positions, key=lambda at: message.portions[at].place))


@L3.accepts("read", "ENV-048", "ENV-049", "ENV-050", why="control")
def cut_of_bravo() -> Made:
    """Bravo's cut: two of three portions."""
    return read(envelope(), plaintexts=_in_order(0, 1))


@L3.accepts("read", "ENV-050", "RTR-024", base="cut_of_bravo", mutation="charlie's", why="control")
def cut_of_charlie() -> Made:
    """Charlie's cut: all three portions."""
    return read(envelope(), me="charlie", plaintexts=_in_order(0, 1, 2))


@L3.accepts("read", "ENV-057", base="cut_of_bravo", mutation="golf co-signs, charlie is asked", why="control")
def cut_of_a_joint_report() -> Made:
    """A cut with one co-signature there and one still asked for."""
    return read(envelope(by=("alpha", "golf", "charlie"), cosigners=("golf",)), plaintexts=_in_order(0, 1))


@L3.rejects(Code.NOT_FOR_ME, "read", "ENV-053", base="cut_of_bravo", mutation="read by golf",
            why="what is well made and meant for another is no alarm")  # fmt: skip
def cut_for_another() -> Made:
    """A cut of bravo's that reaches golf."""
    return Made(cut(envelope(), "bravo"), {"me": "golf"})


def _content(**fields: Any) -> bytes:
    plain = PortionContent("EXERCISE", "Part", (Passage(None, "Two boats seen."),))
    return pack(plain._replace(**fields))


def _salamander() -> Made:
    """Give charlie another key to a blob that authenticates under both: alpha shows it another text."""
    other = world.secret("the salamander's other key")
    seen: list[bytes] = []
    keys = keyed(b"sw1 key", other, bytes(2), size=64)[:32]

    def second_blob(blob: bytes) -> bytes:
        mine = EvilSealer(Plan(name="salamander", labels=(world.LABEL,))).seal().portions[0].key
        own = keyed(b"sw1 key", mine, bytes(2), size=64)[:32]
        return blob[:32] + forge(blob[32:-16], (own, keys))

    hooks: dict[str, Hook | Only] = {"blob": second_blob, "wrap-keys": Only(1, always(other)), "wraps": note(seen)}
    readers = (("bravo", (0,)), ("charlie", (0,)))
    made = envelope(name="salamander", labels=(world.LABEL,), readers=readers, hooks=hooks)
    return read(made, me="charlie")


def _wrapped_by(author: str, reader: str) -> Hook:
    """Replace a wrap by one that another agency made for a reader."""

    def wrap(wraps: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        message, _ = sealed()
        _, from_epoch, to_epoch, bits, seq, _ = wraps[0]
        keys = b"".join(portion.key for portion in sorted(message.portions) if bits >> portion.place & 1)
        theirs = world.boxes().at_epoch(reader, to_epoch, now_ms=world.NOW)
        pair = PairKeys(author).to_reader(world.box_pair(author), reader, theirs)
        key = keyed(b"sw1 wrap", pair, message.hid + seq.to_bytes(8, "big") + bits.to_bytes(8, "big"))
        return [(reader, from_epoch, to_epoch, bits, seq, encrypt(key, keys))]

    return wrap


ONE: dict[str, Any] = {"labels": (world.LABEL,), "readers": (("bravo", (0,)),)}
BOUND = "a wrap is for one reader, one message and its portions"
LESS = "a router that withholds must not be able to do so unseen"
TWO_TEXTS = "without the comparison one blob shows two readers two texts"
STRICT = "a text that is loosely read is read in two ways"


def _hooked(**hooks: Hook | Only) -> Made:
    """Give bravo its cut of an envelope that goes wrong at these steps."""
    return read(envelope(hooks={name.replace("_", "-"): hook for name, hook in hooks.items()}))


def _text(plaintext: bytes, **changes: Any) -> Made:
    """Give bravo a single portion with this plaintext."""
    return read(envelope(**{**ONE, **changes, "contents": (plaintext,)}))


def _wrap_rows() -> tuple[Row, ...]:
    other = envelope(name="another")
    return (
        ("wrap_relabelled", Code.BAD_WRAP, "ENV-048", "Bravo's wrap under golf's name.", BOUND, "WrapBinding",
         lambda: Made(cut(envelope(), "bravo", {"cut-wraps": lambda w: [put(0, "golf")(w[0])]}), {"me": "golf"})),
        ("wraps_swapped", Code.BAD_WRAP, "ENV-048", "The ciphertexts of two wraps changed places.", BOUND,
         "WrapBinding",
         lambda: _hooked(wrap_list=lambda w: [put(5, w[1][5])(w[0]), put(5, w[0][5])(w[1])])),
        ("wrap_of_another_message", Code.BAD_WRAP, "ENV-049", "Bravo's wrap of another message.", BOUND,
         "WrapBinding",
         lambda: read(envelope(), cut_fields=put(5, _wraps_of(other, "bravo")))),
        ("wrap_by_another", Code.BAD_WRAP, "ENV-048", "Charlie, who has the keys, made a wrap for golf.",
         "only the originator can release", "WrapBinding",
         lambda: Made(cut(envelope(), "charlie", {"cut-wraps": _wrapped_by("charlie", "golf")}), {"me": "golf"})),
        ("wrap_for_another_reader", Code.BAD_WRAP, "ENV-048", "Sealed to charlie, labelled bravo.", BOUND,
         "WrapBinding",
         lambda: _hooked(wrap=Only(0, put(0, "bravo")), pair_key=Only(0, _pair_with_charlie))),
        ("wrap_bits_widened", Code.BAD_WRAP, "ENV-049", "The router set one more bit.", BOUND, "WrapBinding",
         lambda: read(envelope(), cut_wraps=lambda w: [put(3, 0b1111)(w[0])])),
        ("wrap_number_changed", Code.BAD_WRAP, "ENV-049", "The router changed the sequence number.",
         "a gap must not be filled by the router", "WrapBinding",
         lambda: read(envelope(), cut_wraps=lambda w: [put(4, 2)(w[0])])),
        ("wrap_bit_turned", Code.BAD_WRAP, "ENV-054", "One bit of the wrap turned.", BOUND, None,
         lambda: read(envelope(), cut_wraps=lambda w: [change(5, flip(0))(w[0])])),
        ("wrap_with_a_key_too_few", Code.BAD_WRAP, "ENV-054", "Two bits, one key.", BOUND, None,
         lambda: _hooked(wrap_keys=lambda keys: keys[:32])),
        ("wrap_with_a_key_too_many", Code.BAD_WRAP, "ENV-054", "Two bits, three keys.", BOUND, None,
         lambda: _hooked(wrap_keys=lambda keys: keys + bytes(32))),
        ("wrap_epoch_unknown", Code.KEY_EPOCH, "KEY-016", "An epoch of alpha's that was never announced.", BOUND, None,
         lambda: _hooked(wrap=put(1, 99))),
    )  # fmt: skip


def _part_rows() -> tuple[Row, ...]:
    return (
        ("portion_withheld", Code.DISCLOSURE, "ENV-065", "The router left one of bravo's portions out.", LESS, None,
         lambda: read(envelope(), cut_disclosed=lambda all_: all_[:1], cut_blobs=lambda all_: all_[:1])),
        ("portion_added", Code.DISCLOSURE, "ENV-065", "The router added a portion that bravo has no key to.",
         "its label alone tells what bravo may not know", "OverWide", lambda: _with_every_portion(envelope())),
        ("blobs_withheld", Code.BLOB_HASH, "ENV-066", "The router left the blobs out.", LESS, None,
         lambda: read(envelope(), cut_blobs=always([]))),
        ("blob_changed", Code.BLOB_HASH, "ENV-040", "The router turned one bit of a blob.", LESS, None,
         lambda: read(envelope(), cut_blobs=lambda all_: [flip(40)(all_[0]), *all_[1:]])),
        ("label_lowered_by_router", Code.DISCLOSURE, "ENV-039", "The router lowered a label.",
         "a reader would hand on what it may not", "OverWide",
         lambda: read(envelope(), cut_disclosed=lambda all_: [(p, d.replace(b"AMBER", b"GREEN")) for p, d in all_])),
        ("header_changed_by_router", Code.BAD_SIG, "ENV-061", "The router changed the originator's time.", LESS, None,
         lambda: read(envelope(), cut_fields=change(0, flip(-1)))),
        ("forwarded_in_own_name", Code.BAD_SIG, "ENV-056", "Bravo put its name on alpha's message.",
         "a reader must not pass for the originator", "Substitution",
         lambda: read(envelope(), cut_fields=change(0, lambda header: header.replace(b"alpha", b"bravo")))),
    )  # fmt: skip


def _text_rows() -> tuple[Row, ...]:
    return (
        ("salamander_to_charlie", Code.COMMITMENT, "ENV-042", "One blob, two keys; charlie gets the other one.",
         TWO_TEXTS, "KeyCommitment", _salamander),
        ("commitment_wrong", Code.COMMITMENT, "ENV-042", "Alpha's key commitment is for no key.", TWO_TEXTS,
         "KeyCommitment",
         lambda: _hooked(key_commitment=always(bytes(32)))),
        ("keys_swapped", Code.COMMITMENT, "ENV-050", "Alpha put the keys into the wrap in another order.", TWO_TEXTS,
         "KeyCommitment", lambda: _hooked(wrap_keys=lambda keys: keys[32:] + keys[:32])),
        ("ciphertext_changed", Code.BAD_TAG, "ENV-043", "Alpha's ciphertext does not authenticate.", TWO_TEXTS, None,
         lambda: _hooked(ciphertext=flip(3))),
        ("text_not_canonical", Code.CONTENT, "ENV-046", "The content in another spelling.", STRICT, "Malleable",
         lambda: _text(b"\xdc\x00\x0a" + _content()[1:])),
        ("text_with_trailing_byte", Code.CONTENT, "ENV-046", "A byte behind the content.", STRICT, "Malleable",
         lambda: _text(_content() + b"\xc0")),
        ("text_of_another_kind", Code.CONTENT, "ENV-046", "A receipt's content in a report.",
         "a receipt could be planted as a report", "CrossProtocol",
         lambda: _text(pack(("EXERCISE", ((bytes(32), 1, "opened", world.NOW),))))),
        ("text_not_marked", Code.CONTENT, "ENV-045", "The marking is not EXERCISE.",
         "exercise traffic must say that it is", None, lambda: _text(_content(marking="REAL"))),
        ("text_is_no_array", Code.CONTENT, "ENV-046", "Plain text in place of an array.", STRICT, "Type",
         lambda: _text(b"two boats")),
        ("text_empty", Code.CONTENT, "ENV-046", "No content at all.", STRICT, None, lambda: _text(b"")),
        ("recall_with_content", Code.CONTENT, "ENV-046", "A recall that has a portion.", STRICT, "CrossProtocol",
         lambda: _text(_content(), kind="recall", ref=bytes(32))),
        ("over_wide_and_forwarded", Code.CLEARANCE, "ENV-080", "Alpha gave and the router forwarded what is above.",
         "the reader's own check is the last", "OverWide",
         lambda: read(envelope(labels=(world.HIGH,), readers=(("bravo", (0,)),)))),
    )  # fmt: skip


def _wraps_of(made: bytes, reader: str) -> bytes:
    fields: list[tuple[Any, ...]] = []
    cut(made, reader, {"cut-fields": note(fields)})
    return bytes(fields[0][5])


def _pair_with_charlie(_pair: bytes) -> bytes:
    theirs = world.boxes().at_epoch("charlie", world.EPOCH, now_ms=world.NOW)
    return PairKeys("alpha").to_reader(world.box_pair("alpha"), "charlie", theirs)


def _with_every_portion(made: bytes) -> Made:
    """Make bravo's cut with charlie's disclosures."""
    fields: list[tuple[Any, ...]] = []
    cut(made, "charlie", {"cut-fields": note(fields)})
    return read(made, cut_fields=lambda mine: (*mine[:4], fields[0][4], mine[5], fields[0][6]))


enter_rows(L3, (*_wrap_rows(), *_part_rows(), *_text_rows()), op="read", base="cut_of_bravo")
