"""The first difference between two sights, in words: where, what kind of thing, and from which byte on."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, Literal

from scenarios.noninterference_sight import Seen, Sight

Kind = Literal["count", "time", "size", "topic", "error", "bytes"]
_AROUND: Final = 8  # bytes on either side that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What an observer could tell two worlds apart by.

    Attributes:
        kind: By a number of things, a time, a size, a topic, an error, or by bytes of the same size.
        where: The part of its sight: ``link``, ``table journal``, ``file …`` or ``log``.
        place: Which thing there, from 1.
        at_ms: When, Unix ms, where a time is known.
        topic: Of a frame.
        offset: The first byte that differs, where both have bytes.
        text: For people.
    """

    kind: Kind
    where: str
    place: int
    text: str
    at_ms: int | None = None
    topic: str = ""
    offset: int | None = None


def first_difference(without: Sight, with_secret: Sight) -> Difference | None:
    """Return the first thing by which an observer could tell the worlds apart; None if there is none."""
    found = _in_link(without.link, with_secret.link)
    if found is not None:
        return found
    for name in sorted(without.tables.keys() | with_secret.tables.keys()):
        found = _in_rows(f"table {name}", "row", without.tables.get(name, []), with_secret.tables.get(name, []))
        if found is not None:
            return found
    for name in sorted(without.files.keys() | with_secret.files.keys()):
        ours, theirs = (
            [] if sight.files.get(name) is None else [sight.files[name]] for sight in (without, with_secret)
        )
        found = _in_rows(f"file {name}", "file", ours, theirs)
        if found is not None:
            return found
    lines = [[line.encode() for line in sight.log] for sight in (without, with_secret)]
    return _in_rows("log", "line", *lines)


def _in_link(without: Sequence[Seen], with_secret: Sequence[Seen]) -> Difference | None:
    for place, (ours, theirs) in enumerate(zip_longest(without, with_secret), 1):
        if ours == theirs:
            continue
        one = theirs or ours
        assert one is not None
        shared = {"where": "link", "place": place, "at_ms": one.at_ms, "topic": one.topic}
        if ours is None or theirs is None:
            world = "with the secret" if ours is None else "without the secret"
            text = f"{_in_words(one)} only in the world {world}"
            return Difference(kind="count", text=text, **shared)  # type: ignore[arg-type] # mypy reads no ** of a dict
        kind, text, offset = _apart(ours, theirs)
        return Difference(kind=kind, text=text, offset=offset, **shared)  # type: ignore[arg-type] # as above
    return None


def _apart(ours: Seen, theirs: Seen) -> tuple[Kind, str, int | None]:
    one, other = _in_words(theirs), _in_words(ours)
    if ours.word != theirs.word or ours.said != theirs.said:
        kind: Kind = "error" if "frame refused" in {ours.word, theirs.word} else "count"
        return kind, f"{one} with the secret, {other} without it", None
    if ours.topic != theirs.topic:
        return "topic", f"{one} with the secret, on {ours.topic} without it", None
    if len(ours.content) != len(theirs.content):
        sizes = f"{len(theirs.content)} bytes with the secret, {len(ours.content)} without it"
        return "size", f"{one}: {sizes}", _offset(ours.content, theirs.content)
    if ours.at_ms != theirs.at_ms:
        return "time", f"{one} comes {theirs.at_ms - ours.at_ms:+d} ms later with the secret", None
    offset = _offset(ours.content, theirs.content)
    return "bytes", f"{one}: {_bytes_in_words(ours.content, theirs.content, offset)}", offset


def _in_rows(where: str, what: str, ours: Sequence[bytes], theirs: Sequence[bytes]) -> Difference | None:
    for place, (one, other) in enumerate(zip_longest(ours, theirs), 1):
        if one == other:
            continue
        if one is None or other is None:
            text = f"{len(theirs)} {what}s with the secret, {len(ours)} without it"
            return Difference(kind="count", where=where, place=place, text=text)
        offset = _offset(one, other)
        if len(one) != len(other):
            text = f"{what} {place}: {len(other)} bytes with the secret, {len(one)} without it"
            return Difference(kind="size", where=where, place=place, offset=offset, text=text)
        text = f"{what} {place}: {_bytes_in_words(one, other, offset)}"
        return Difference(kind="bytes", where=where, place=place, offset=offset, text=text)
    return None


def _in_words(seen: Seen) -> str:
    said = f" ({seen.said})" if seen.said else ""
    topic = f" on {seen.topic}" if seen.topic else ""
    return f"{seen.word}{topic}{said}"


def _offset(one: bytes, other: bytes) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (ours, theirs) in pairs if ours != theirs), min(len(one), len(other)))


def _bytes_in_words(without: bytes, with_secret: bytes, offset: int) -> str:
    begin = max(0, offset - _AROUND)
    ours, theirs = (content[begin : offset + _AROUND].hex() for content in (without, with_secret))
    return f"from byte {offset} on: …{theirs}… with the secret, …{ours}… without it"
