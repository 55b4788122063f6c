"""Signed notes: a log's checkpoints, with the signatures of the log and of its witnesses (C2SP signed-note).

Plain text with signature lines, a format of others: whatever audits such logs can read ours. Two signature types are
made and understood: a log's own (0x01) and a witness's, which says when it looked (0x04, tlog-cosignature). A note is
read in one spelling only, and nothing of it counts before a signature has verified.

A note's text has no control character but line feeds and every other thing we sign begins with a purpose that ends in
0x00, so no signature on a note is ever valid as another statement of the same key, nor the other way round.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple, NoReturn

from schemas.errors import LogError, LogFault, RemoteError
from schemas.limits import SIGNATURE_BYTES, UINT_MS_MAX
from sealing.keys import SignPair
from sealing.merkle import TREE_HASH_BYTES
from sealing.primitives import sign, verify

NOTE_BYTES_MAX: Final = 512 * 1024  # a checkpoint that 2,048 agencies have cosigned
NOTE_SIGNATURES_MAX: Final = 2_049  # every agency that a bundle can hold, and the log itself
NAME_CHARS_MAX: Final = 255
TYPE_ED25519: Final = 0x01
TYPE_COSIGNATURE: Final = 0x04
_KEY_ID_BYTES: Final = 4
_TIME_BYTES: Final = 8
_DASH: Final = "\u2014 "
_NO_PURPOSE: Final = b""  # a note is signed as it stands; see the module's text for why that is safe
_TREE_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,15}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_LINES_OF_A_CHECKPOINT: Final = 3


class Checkpoint(NamedTuple):
    """What a log says of its tree: which log, how many leaves, and the root over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """Return the note's text: three lines."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n".encode()


class NoteSignature(NamedTuple):
    """One signature line; for a witness ``signature`` begins with eight bytes of time."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> bytes:
        """Return the line, with its line feed."""
        return f"{_DASH}{self.name} {b64encode(self.key_id + self.signature).decode()}\n".encode()


class Note(NamedTuple):
    """A text, which ends in a line feed, and the signatures on it."""

    text: bytes
    signatures: tuple[NoteSignature, ...]

    def packed(self) -> bytes:
        """Return the note as it travels."""
        return self.text + b"\n" + b"".join(signature.line() for signature in self.signatures)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKey:
    """Who may sign notes: a name, a signature type and an Ed25519 key."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that tell signature lines of one name apart; no proof of anything."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:_KEY_ID_BYTES]


def log_origin(router: str) -> str:
    """Return the origin, and name of the key, of a router's log."""
    return f"sandiwara/log/{router}"


def witness_name(agency: str) -> str:
    """Return the name under which an agency cosigns."""
    return f"sandiwara/agency/{agency}"


def read_note(received: bytes, *, bytes_max: int = NOTE_BYTES_MAX) -> Note:
    """Read a note; nothing in it is proved yet.

    Raises:
        LogError: MALFORMED if it is too long or in any but the one spelling.
    """
    if len(received) > bytes_max:
        _refuse(f"a note of {len(received)} bytes where at most {bytes_max} are allowed")
    whole = _decode(received)
    control = _CONTROL.search(whole)
    if control is not None:
        _refuse(f"a note with a control character at character {control.start()}")
    # "the text is separated from the signatures by the last empty line in the note" -- C2SP signed-note
    text, found, signed = whole.rpartition("\n\n")
    if not found or not text or not signed.endswith("\n"):
        _refuse("a note is a text, an empty line, and signature lines that end in a line feed")
    lines = signed[:-1].split("\n")
    if len(lines) > NOTE_SIGNATURES_MAX:
        _refuse(f"{len(lines)} signatures where at most {NOTE_SIGNATURES_MAX} are allowed")
    return Note((text + "\n").encode(), tuple(read_signature(line + "\n") for line in lines))


def read_signature(line: str) -> NoteSignature:
    """Read one signature line, with its line feed.

    Raises:
        LogError: MALFORMED.
    """
    name, found, encoded = line.removeprefix(_DASH).removesuffix("\n").partition(" ")
    if not line.startswith(_DASH) or not line.endswith("\n") or not found:
        _refuse("a signature line is a dash, a name, a signature and a line feed")
    # "Key names MUST be non-empty and MUST NOT contain any Unicode spaces or plus" -- C2SP signed-note
    if not 0 < len(name) <= NAME_CHARS_MAX or "+" in name or any(char.isspace() for char in name):
        _refuse("the name on a signature line is empty, too long, or has a space or a plus in it")
    blob = _unbase64(encoded)
    if len(blob) <= _KEY_ID_BYTES:
        _refuse(f"the signature of {name} is empty")
    return NoteSignature(name, blob[:_KEY_ID_BYTES], blob[_KEY_ID_BYTES:])


def read_checkpoint(text: bytes) -> Checkpoint:
    """Read a note's text as a checkpoint: exactly three lines, since nobody audits further ones.

    Raises:
        LogError: MALFORMED.
    """
    lines = _decode(text).split("\n")
    if len(lines) != _LINES_OF_A_CHECKPOINT + 1 or lines[-1] or not lines[0]:
        _refuse("a checkpoint is three lines: origin, size and root")
    origin, size, root, _ = lines
    if not _TREE_SIZE.fullmatch(size) or int(size) > UINT_MS_MAX:
        _refuse("the size of a checkpoint is a decimal number without leading zeros")
    found = _unbase64(root)
    if len(found) != TREE_HASH_BYTES:
        _refuse(f"the root of a checkpoint is {TREE_HASH_BYTES} bytes")
    return Checkpoint(origin, int(size), found)


def sign_checkpoint(checkpoint: Checkpoint, *, signer: SignPair) -> Note:
    """Have a log sign its checkpoint; the name of its key is the origin. ``Log.checkpoint`` says when it may."""
    text = checkpoint.text()
    key = NoteKey(name=checkpoint.origin, kind=TYPE_ED25519, public=signer.public)
    return Note(text, (NoteSignature(key.name, key.key_id, sign(signer.secret, _NO_PURPOSE, text)),))


def cosign(text: bytes, *, name: str, signer: SignPair, now_ms: int) -> NoteSignature:
    """Have a witness state that it saw this checkpoint follow from all it saw before (C2SP tlog-cosignature).

    Args:
        text: The checkpoint's text, proved and consistent: see ``sealing.witness``.
        name: The witness's.
        signer: The witness's.
        now_ms: Unix ms; the cosignature holds whole seconds.
    """
    at_s = now_ms // 1000
    key = NoteKey(name=name, kind=TYPE_COSIGNATURE, public=signer.public)
    signature = sign(signer.secret, _NO_PURPOSE, _cosigned(text, at_s))
    return NoteSignature(name, key.key_id, at_s.to_bytes(_TIME_BYTES, "big") + signature)


def verify_signature(text: bytes, signature: NoteSignature, *, key: NoteKey) -> int | None:
    """Prove one signature line; returns the time of a cosignature in Unix seconds, None for a log's own.

    Raises:
        LogError: SIGNATURE if the line is of another key, or does not verify.
    """
    if (signature.name, signature.key_id) != (key.name, key.key_id):
        msg = f"the signature line of {signature.name} is not of the key of {key.name}"
        raise LogError(LogFault.SIGNATURE, msg)
    blob = signature.signature
    timed = key.kind == TYPE_COSIGNATURE
    at_s = int.from_bytes(blob[:_TIME_BYTES], "big") if timed else None
    if len(blob) != SIGNATURE_BYTES + (_TIME_BYTES if timed else 0) or (at_s or 0) >= 2**63:
        msg = f"the signature of {key.name} is not of its type's length, or of no time"
        raise LogError(LogFault.SIGNATURE, msg)
    signed = text if at_s is None else _cosigned(text, at_s)
    try:
        verify(key.public, _NO_PURPOSE, signed, blob[-SIGNATURE_BYTES:])
    except RemoteError as error:
        msg = f"the signature of {key.name} does not verify"
        raise LogError(LogFault.SIGNATURE, msg) from error
    return at_s


def verify_note(note: Note, keys: Iterable[NoteKey]) -> dict[str, int | None]:
    """Prove that a note is signed by at least one of these keys; lines of other keys are passed over.

    Returns:
        The names that signed, each with the time of its cosignature in Unix seconds or None.

    Raises:
        LogError: SIGNATURE if a line of a known key does not verify, or no line is of a known key.
    """
    known = {(key.name, key.key_id): key for key in keys}
    proved: dict[str, int | None] = {}
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is not None:
            proved[key.name] = verify_signature(note.text, signature, key=key)
    if not proved:
        msg = "the note is signed by nobody who is known here"
        raise LogError(LogFault.SIGNATURE, msg)
    return proved


def with_signatures(note: Note, further: Sequence[NoteSignature]) -> Note:
    """Return the note with further signature lines; each key's line stands once, the newest last."""
    fresh = {(item.name, item.key_id): item for item in (*note.signatures, *further)}
    return Note(note.text, tuple(fresh.values()))


def _cosigned(text: bytes, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n".encode() + text


def _unbase64(encoded: str) -> bytes:
    try:
        found = b64decode(encoded, validate=True)
    except (Base64Error, ValueError) as error:
        msg = "what should be base64 is not"
        raise LogError(LogFault.MALFORMED, msg) from error
    # Base64 has spare bits at its end: one value, one spelling.
    if b64encode(found).decode() != encoded:
        _refuse("base64 in another spelling than the one that it would be written in")
    return found


def _decode(received: bytes) -> str:
    try:
        return received.decode()
    except UnicodeDecodeError as error:
        msg = f"a note that is not UTF-8 at byte {error.start}"
        raise LogError(LogFault.MALFORMED, msg) from error


def _refuse(message: str) -> NoReturn:
    raise LogError(LogFault.MALFORMED, message)
