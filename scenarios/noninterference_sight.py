"""What one agency sees of a play: every frame of its link, its database, its files and what its node logs.

What is pseudo-random to whoever lacks the keys of others stands as nought of the same length: roots and proofs of the
log with the signatures over them, and in a reader's cut the hash over all wraps with the signature over that.
Everything else counts as it is, byte for byte (docs/spec/need-to-know.md, "Non-interference").
"""

import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from schemas.codec import pack, unpack
from schemas.errors import LinkError, LogError, RemoteError
from schemas.frames import (
    CheckpointMessage,
    Cosign,
    Delivery,
    DownMessage,
    UpMessage,
    read_down_frame,
    read_up_frame,
    write_frame,
)
from schemas.limits import ENVELOPE_BYTES_MAX
from schemas.topics import down_topic, up_topic
from sealing.notes import Note, NoteSignature, read_checkpoint, read_note, read_signature
from transport.link import Connect, Link

Word = Literal["link opened", "link closed", "frame up", "frame taken", "frame refused", "frame down"]
# Real time stands beside exercise time in these columns. How long a machine took is no part of a play.
_MACHINE_TIME: Final = frozenset({"machine_ms", "seen_at"})


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that was seen: when (exercise time, Unix ms), what, on which topic, and its bytes."""

    at_ms: int
    word: Word
    topic: str = ""
    content: bytes = b""
    said: str = ""  # the kinds of message in a frame, or the words of an error


@dataclass(slots=True)
class Sight:
    """All that one agency saw of one play."""

    agency: str
    link: list[Seen] = field(default_factory=list)
    tables: dict[str, list[bytes]] = field(default_factory=dict)  # a row each, as bytes
    files: dict[str, bytes] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)


def watched(connect: Connect, sight: Sight, *, now_ms: Callable[[], int]) -> Connect:
    """Return what opens links whose every frame is seen, at the time at which it passes the wire."""

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Link, None]:
        async with connect() as link:
            sight.link.append(Seen(now_ms(), "link opened"))
            try:
                yield _WatchedLink(link, sight, now_ms)
            finally:
                sight.link.append(Seen(now_ms(), "link closed"))

    return opened


class _WatchedLink:
    def __init__(self, link: Link, sight: Sight, now_ms: Callable[[], int]) -> None:
        self._link = link
        self._sight = sight
        self._now_ms = now_ms

    async def send(self, frame: bytes) -> None:
        topic = up_topic(self._sight.agency)
        content, kinds = _open_up(frame)
        self._see("frame up", topic, content, kinds)
        try:
            await self._link.send(frame)
        except LinkError as error:
            self._see("frame refused", topic, said=str(error))
            raise
        self._see("frame taken", topic)

    async def frames(self) -> AsyncIterator[bytes]:
        async for frame in self._link.frames():
            content, kinds = _open_down(frame)
            self._see("frame down", down_topic(self._sight.agency), content, kinds)
            yield frame

    def _see(self, word: Word, topic: str, content: bytes = b"", said: str = "") -> None:
        self._sight.link.append(Seen(self._now_ms(), word, topic, content, said))


def read_tables(sight: Sight, database: sqlite3.Connection) -> None:
    """Take in every row of a node's database."""
    names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    for (name,) in names:
        columns = [column[1] for column in database.execute(f'PRAGMA table_info("{name}")')]
        rows = database.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608 - the name is the database's own
        sight.tables[name] = [
            pack([_column(name, *pair) for pair in zip(columns, row, strict=True) if pair[0] not in _MACHINE_TIME])
            for row in rows
        ]


def _column(table: str, name: str, value: object) -> object:
    if isinstance(value, bytes) and table == "witnessed":
        if name == "note":
            return _blank_note(value)
        return _blank_line(value) if name == "line" else bytes(len(value))
    # A database may hold what the codec has no form for; its words and length are told all the same.
    return value if value is None or isinstance(value, bytes | str | int) else repr(value)


def blank_file(content: bytes) -> bytes:
    """Return a file of an exported log as it is compared: a note with its opaque parts blank, others as they are."""
    try:
        return _blank_note(content)
    except LogError:
        return content


def _open_up(frame: bytes) -> tuple[bytes, str]:
    try:
        messages = read_up_frame(frame)
    except RemoteError as error:
        return frame, f"unreadable: {error.code}"
    return _blank(frame, messages)


def _open_down(frame: bytes) -> tuple[bytes, str]:
    try:
        messages = read_down_frame(frame)
    except RemoteError as error:
        return frame, f"unreadable: {error.code}"
    return _blank(frame, messages)


def _blank(frame: bytes, messages: tuple[UpMessage, ...] | tuple[DownMessage, ...]) -> tuple[bytes, str]:
    kinds = ", ".join(message[0] for message in messages)
    if not any(isinstance(message, CheckpointMessage | Cosign | Delivery) for message in messages):
        return frame, kinds
    try:
        return write_frame(tuple(_blank_message(message) for message in messages)), kinds
    except (LogError, RemoteError) as error:
        return frame, f"{kinds}; {error}"


def _blank_message(message: UpMessage | DownMessage) -> UpMessage | DownMessage:
    match message:
        case CheckpointMessage():
            proof = tuple(bytes(len(item)) for item in message.proof)
            return message._replace(proof=proof, note=_blank_note(message.note))
        case Cosign():
            return message._replace(
                line=None if message.line is None else _blank_line(message.line),
                note=None if message.note is None else _blank_note(message.note),
            )
        case Delivery():
            return message._replace(envelope=_blank_envelope(message.envelope)) if message.envelope else message
        case _:
            return message


def _blank_envelope(received: bytes) -> bytes:
    """Blank the two fields of a cut that hang on the wraps of other readers (envelope.md, "Envelope")."""
    header, wraps_hash, signature, *rest = unpack(received, bytes_max=ENVELOPE_BYTES_MAX)
    return pack((header, bytes(len(wraps_hash)), bytes(len(signature)), *rest))


def _blank_note(received: bytes) -> bytes:
    note = read_note(received)
    checkpoint = read_checkpoint(note.text)
    text = checkpoint._replace(root=bytes(len(checkpoint.root))).text()
    return Note(text, tuple(_blank_signature(line) for line in note.signatures)).packed()


def _blank_line(received: bytes) -> bytes:
    return _blank_signature(read_signature(received.decode())).line()


def _blank_signature(line: NoteSignature) -> NoteSignature:
    # A cosignature begins with the time at which it was made, and that is no secret's to change.
    time, signature = line.signature[:-64], line.signature[-64:]
    return line._replace(signature=time + bytes(len(signature)))
