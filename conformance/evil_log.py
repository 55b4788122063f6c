"""Layer L6: the provable log, as a witness or an auditor sees it: leaves, trees, notes, checkpoints, cosignatures.

Made by hand from RFC 6962 and the C2SP texts, and with nothing of ``sealing.merkle`` and ``sealing.notes``, so that a
fault in how we write a log cannot hide itself in how we judge one.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from conformance import world
from conformance.evil_book import Book, Made, Maker, named
from schemas.codec import pack
from schemas.errors import LogFault
from sealing.primitives import sign

L6 = Book(
    layer="L6",
    notes={
        "Malleable": {"bug": "MISPARSING", "why": "two readers of one note see two, or an auditor reads past a line"},
        "Forged": {"bug": "TRUST", "why": "a log that its owner never signed, or a witness that never looked"},
        "Equivocation": {"bug": "SPLIT_VIEW", "why": "the log's owner shows each agency the history that suits it"},
        "Proof": {"bug": "HIDDEN_LEAF", "why": "a leaf that is not there is taken for one that is, or the other way"},
    },
)

LOG: Final = f"sandiwara/log/{world.ROUTER}"
WITNESS: Final = "sandiwara/agency/bravo"
ENTRIES: Final = tuple(pack((1, sha256(b"leaf %d" % number).digest())) for number in range(13))
OTHER: Final = (*ENTRIES[:5], pack((1, sha256(b"another").digest())), *ENTRIES[6:])  # leaf 5 says something else
AT_S: Final = world.NOW // 1_000


# The tree, in the words of RFC 6962, section 2.1.


def root_of(entries: Sequence[bytes]) -> bytes:
    """Return MTH of RFC 6962, 2.1."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\0" + entries[0]).digest()
    middle = _power_below(len(entries))
    return sha256(b"\1" + root_of(entries[:middle]) + root_of(entries[middle:])).digest()


def path_of(number: int, entries: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return PATH of RFC 6962, 2.1.1."""
    if len(entries) == 1:
        return ()
    middle = _power_below(len(entries))
    if number < middle:
        return (*path_of(number, entries[:middle]), root_of(entries[middle:]))
    return (*path_of(number - middle, entries[middle:]), root_of(entries[:middle]))


def growth(old_size: int, entries: Sequence[bytes], *, complete: bool = True) -> tuple[bytes, ...]:
    """Return SUBPROOF of RFC 6962, 2.1.2, for an old tree that is not empty."""
    if old_size == len(entries):
        return () if complete else (root_of(entries),)
    middle = _power_below(len(entries))
    if old_size <= middle:
        return (*growth(old_size, entries[:middle], complete=complete), root_of(entries[middle:]))
    return (*growth(old_size - middle, entries[middle:], complete=False), root_of(entries[:middle]))


def _power_below(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


# Notes.


def _key_id(name: str, kind: int, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def _base64(content: bytes) -> str:
    return b64encode(content).decode()


def checkpoint_text(size: int, entries: Sequence[bytes] = ENTRIES, *, origin: str = LOG) -> bytes:
    """Return the three lines of a checkpoint over the first ``size`` entries."""
    return f"{origin}\n{size}\n{_base64(root_of(entries[:size]))}\n".encode()


def line_of(text: bytes, *, name: str = LOG, signer: str = world.ROUTER, kind: int = 1, named_as: str = "") -> bytes:
    """Return a signature line, as a log's own (1) or as a witness's (4)."""
    pair = world.sign_pair(signer)
    if kind == 1:
        signature = sign(pair.secret, b"", text)
    else:
        timed = b"cosignature/v1\ntime %d\n" % AT_S + text
        signature = AT_S.to_bytes(8, "big") + sign(pair.secret, b"", timed)
    blob = _key_id(name, kind, pair.public) + signature
    return f"\u2014 {named_as or name} {_base64(blob)}\n".encode()


def note_of(text: bytes, *lines: bytes) -> bytes:
    """Return a note with these signature lines, or with the log's own."""
    return text + b"\n" + b"".join(lines or (line_of(text),))


_TEXT: Final = checkpoint_text(8)
KEYS: Final = {"keys": [{"name": LOG, "type": 1, "public": world.sign_pair(world.ROUTER).public.hex()}]}


class Row(NamedTuple):
    """A vector that comes in rows: its name, its fault, its requirement, what it says and why, its flag, its bytes."""

    name: str
    fault: LogFault
    req: str
    comment: str
    why: str
    flag: str
    make: Maker


def enter_rows(rows: tuple[Row, ...], *, op: str, base: str) -> None:
    """Enter vectors that come in rows."""
    for row in rows:
        enter = L6.rejects(row.fault, op, row.req, why=row.why, base=base, mutation=row.comment[:-1], flag=row.flag)
        enter(named(row.name, row.comment, row.make))


# Reading notes.


@L6.accepts("note", "AUD-013", "AUD-014", why="control")
def note() -> Made:
    """A checkpoint with the log's own signature."""
    return Made(note_of(_TEXT), KEYS)


@L6.accepts("note", "AUD-022", base="note", mutation="further lines", why="witnesses that are not known here may sign")
def note_with_lines_of_strangers() -> Made:
    """The log's line among those of keys that are not known."""
    strange = line_of(_TEXT, name="sandiwara/agency/zulu", signer="zulu", kind=4)
    return Made(note_of(_TEXT, strange, line_of(_TEXT), strange), KEYS)


@L6.accepts("note", "AUD-022", base="note", mutation="a line of another key", why="keys change, and names stay")
def note_with_a_line_of_an_older_key() -> Made:
    """A second line under the log's name, whose key id is not known."""
    return Made(note_of(_TEXT, line_of(_TEXT, signer="older"), line_of(_TEXT)), KEYS)


def _note_rows() -> tuple[Row, ...]:
    malformed, signature = LogFault.MALFORMED, LogFault.SIGNATURE
    one = "one value has one spelling, or two readers see two notes"
    forged = "whoever can make this can write the log"
    line, own = line_of(_TEXT), sign(world.sign_pair(world.ROUTER).secret, b"", _TEXT)

    def row(name: str, comment: str, made: bytes, *, why: str = one, req: str = "AUD-021") -> Row:
        return Row(name, malformed, req, comment, why, "Malleable", lambda: Made(made, KEYS))

    def unsigned(name: str, comment: str, made: bytes, req: str = "AUD-023") -> Row:
        return Row(name, signature, req, comment, forged, "Forged", lambda: Made(made, KEYS))

    return (
        row("note_with_carriage_return", "A carriage return before a line feed.", note_of(_TEXT, line[:-1] + b"\r\n")),
        row("note_with_control_character", "A tabulator in the text.", note_of(_TEXT[:-1] + b"\t\n", line)),
        row("note_without_empty_line", "No empty line before the signatures.", _TEXT + line),
        row("note_without_last_line_feed", "The last line does not end.", note_of(_TEXT, line[:-1])),
        row("note_without_signatures", "No signature line at all.", _TEXT + b"\n"),
        row("note_not_utf8", "A byte that is no UTF-8.", note_of(b"\xff" + _TEXT, line)),
        row("note_line_with_hyphen", "A hyphen in place of the dash.", note_of(_TEXT, b"- " + line[4:])),
        row("note_line_without_name", "A signature line without a name.",
            note_of(_TEXT, "\u2014  ".encode() + line[-90:])),
        row("note_line_without_dash", "A signature line without its dash.", note_of(_TEXT, line[4:])),
        row("note_without_text", "A signed line feed and no text.", note_of(b"\n", line_of(b"\n"))),
        row("note_name_with_plus", "A plus in the name.", note_of(_TEXT, line_of(_TEXT, named_as="sandiwara+log"))),
        row("note_line_without_signature", "A name and a key id alone.",
            note_of(_TEXT, f"\u2014 {LOG} {_base64(bytes(4))}\n".encode())),
        row("note_base64_without_padding", "Base64 without its padding.",
            note_of(_TEXT, line[:-2].rstrip(b"=") + b"\n")),
        row("note_base64_with_spare_bits", "Base64 with bits set that mean nothing.",
            note_of(_TEXT, _with_spare_bits(line))),
        row("note_base64_with_a_space", "A space inside the base64.", note_of(_TEXT, line[:-9] + b" " + line[-9:])),
        unsigned("note_by_another_log", "Signed by another router under this one's name and key id.",
                 note_of(_TEXT, _own_line(sign(world.sign_pair("spoke").secret, b"", _TEXT)))),
        unsigned("note_of_another_text", "The signature of another checkpoint.",
                 note_of(_TEXT, line_of(checkpoint_text(7)))),
        unsigned("note_by_nobody_known", "Signed by a key that is not known.",
                 note_of(_TEXT, line_of(_TEXT, name="sandiwara/log/other", signer="other"))),
        unsigned("note_with_one_bad_line_of_a_known_key", "A good line and a bad one, both of the log's key.",
                 note_of(_TEXT, line, line_of(checkpoint_text(7)))),
        unsigned("note_with_a_cosignature_as_its_own", "A line of the log's key that is of a witness's type.",
                 note_of(_TEXT, line_of(_TEXT, kind=4)), "AUD-014"),
        unsigned("note_with_a_signature_too_short", "63 bytes of signature.", note_of(_TEXT, _own_line(own[:-1]))),
        unsigned("note_with_a_signature_too_long", "A byte before the signature.",
                 note_of(_TEXT, _own_line(b"\0" + own))),
    )  # fmt: skip


def _with_spare_bits(line: bytes) -> bytes:
    """Set a bit that base64 has over at its end: 68 bytes fill all but two bits of the last character."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return line[:-3] + alphabet[alphabet.index(chr(line[-3])) + 1].encode() + b"=\n"


def _own_line(signature: bytes) -> bytes:
    """Return a line of the log's key with any signature."""
    key_id = _key_id(LOG, 1, world.sign_pair(world.ROUTER).public)
    return f"\u2014 {LOG} {_base64(key_id + signature)}\n".encode()


enter_rows(_note_rows(), op="note", base="note")


@L6.accepts("checkpoint", "AUD-013", why="control")
def checkpoint() -> Made:
    """The three lines of a checkpoint."""
    return Made(_TEXT)


@L6.accepts("checkpoint", "AUD-010", base="checkpoint", mutation="no leaves", why="a log begins empty")
def checkpoint_of_no_leaves() -> Made:
    """The checkpoint of a log that has no leaf yet."""
    return Made(checkpoint_text(0))


def _checkpoint_rows() -> tuple[Row, ...]:
    why = "a line that one reader skips can hold what another acts on"
    root = _base64(root_of(ENTRIES[:8]))

    def row(name: str, comment: str, text: str) -> Row:
        return Row(name, LogFault.MALFORMED, "AUD-021", comment, why, "Malleable", lambda: Made(text.encode()))

    return (
        row("checkpoint_with_a_fourth_line", "A fourth line.", f"{LOG}\n8\n{root}\nmore\n"),
        row("checkpoint_of_two_lines", "The root is missing.", f"{LOG}\n8\n"),
        row("checkpoint_without_origin", "An empty origin.", f"\n8\n{root}\n"),
        row("checkpoint_size_with_leading_zero", "A leading zero.", f"{LOG}\n08\n{root}\n"),
        row("checkpoint_size_with_sign", "A plus sign.", f"{LOG}\n+8\n{root}\n"),
        row("checkpoint_size_with_other_digits", "Digits of another script.", f"{LOG}\n\u0668\n{root}\n"),
        row("checkpoint_size_too_large", "A size beyond every integer here.", f"{LOG}\n{2**53}\n{root}\n"),
        row("checkpoint_root_of_31_bytes", "A root of 31 bytes.", f"{LOG}\n8\n{_base64(bytes(31))}\n"),
    )


enter_rows(_checkpoint_rows(), op="checkpoint", base="checkpoint")


# Cosignatures.


def _cosigned(line: bytes, *, text: bytes = _TEXT) -> Made:
    key = {"name": WITNESS, "public": world.sign_pair("bravo").public.hex()}
    return Made(line, {"text": text.hex(), "key": key})


@L6.accepts("cosignature", "AUD-014", "AUD-031", why="control")
def cosignature() -> Made:
    """Bravo's cosignature of a checkpoint."""
    return _cosigned(line_of(_TEXT, name=WITNESS, signer="bravo", kind=4))


def _cosignature_rows() -> tuple[Row, ...]:
    why = "a witness that never looked vouches for the log"
    line = line_of(_TEXT, name=WITNESS, signer="bravo", kind=4)

    def row(name: str, comment: str, made: Made, req: str = "AUD-014") -> Row:
        return Row(name, LogFault.SIGNATURE, req, comment, why, "Forged", lambda: made)

    later = bytearray(_unbase64line_of(line))
    later[11] ^= 1  # the last byte of the time, which is signed
    return (
        row("cosignature_of_another_text", "Of another checkpoint.", _cosigned(line, text=checkpoint_text(7))),
        row("cosignature_at_another_time", "Its time was changed.",
            _cosigned(f"\u2014 {WITNESS} {_base64(bytes(later))}\n".encode())),
        row("cosignature_by_another", "Charlie signed under bravo's name.",
            _cosigned(line_of(_TEXT, name=WITNESS, signer="charlie", kind=4))),
        row("cosignature_under_another_name", "Bravo's signature under charlie's name.",
            _cosigned(line_of(_TEXT, name="sandiwara/agency/charlie", signer="bravo", kind=4))),
        row("cosignature_as_a_log_signs", "Bravo's signature over the text alone.",
            _cosigned(line_of(_TEXT, name=WITNESS, signer="bravo", kind=1))),
    )  # fmt: skip


def _unbase64line_of(line: bytes) -> bytes:
    return b64decode(line.rpartition(b" ")[2])


enter_rows(_cosignature_rows(), op="cosignature", base="cosignature")
