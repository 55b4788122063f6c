"""Inputs of the largest size that is read, each made so that a careless reader spends much more than it was given.

What they cost in memory and time is shown by ``python -m tests.fuzz --largest``; for what others send, the memory is
bounded by a test.
"""

from collections.abc import Callable, Mapping
from typing import Final

from broker.fields import encode_variable_integer
from schemas.limits import FRAME_BYTES_MAX
from tests.fuzz.file_targets import join_files

_FILE: Final = 1024 * 1024


def _fill(unit: bytes, size: int, *, head: bytes = b"", tail: bytes = b"") -> bytes:
    return head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + encode_variable_integer(len(body)) + body


def _packed(size: int) -> dict[str, bytes]:
    """Return packed arrays: all of them far below what a length of four bytes may claim."""
    return {
        "empty maps": b"\xdc\xff\xff" + _fill(b"\x80", size - 3),
        "empty arrays": _fill(b"\x90", size, head=b"\xdd\x00\x0f\xff\xf0"),
        "arrays of arrays": _fill(b"\xdc\x10\x00" + b"\x90" * 4_096, size, head=b"\x92\x01\xdc\x01\x00"),
        "numbers in arrays": _fill(b"\xdc\x10\x00" + b"\x7f" * 4_096, size, head=b"\x92\x01\xdc\x00\xff"),
        "short texts": _fill(b"\xdc\x10\x00" + b"\xa1a" * 4_096, size, head=b"\x92\x01\xdc\x00\x7f"),
        "nesting": _fill(b"\x91", size),
        "an array of four billion": b"\xdd\xff\xff\xff\xff",
        "a text of four billion": b"\xdb\xff\xff\xff\xff",
        "hellos": b"\x92\x01\xdc\x01\x00" + b"\x93\xa5hello\x00\x00" * 256,
    }


def _json(size: int) -> dict[str, bytes]:
    return {
        "brackets": _fill(b"[", size),
        "objects": _fill(b'{"a":', size),
        "empty lists": _fill(b"[],", size, head=b"[", tail=b"[]]"),
        "numbers": _fill(b"1,", size, head=b"[", tail=b"1]"),
        "digits": _fill(b"9", size),
        "escapes": _fill(b"\\u0041", size, head=b'["', tail=b'"]'),
        "quotes": _fill(b'\\"', size, head=b'"'),
        "names": b"{" + b",".join(b'"%d":{}' % number for number in range(size // 16)) + b"}",
        "wide text": _fill("\U0001f4a9".encode(), size, head=b'["', tail=b'"]'),
    }


def _yaml(size: int) -> dict[str, bytes]:
    return {
        "brackets": _fill(b"[", size),
        "brackets on lines": _fill(b"[\n", size),
        "braces": _fill(b"{a: ", size),
        "dashes": _fill(b"- ", size),
        "question marks": _fill(b"? ", size),
        "aliases": b"a: &a [x]\nb: [" + b"*a, " * (size // 8) + b"]\n",
        "short items": _fill(b"- a\n", size),
        "flow items": _fill(b"a,", size, head=b"[", tail=b"a]"),
        "keys": b"".join(b"k%d: v\n" % number for number in range(size // 12)),
        "one long word": _fill(b"a", size),
        "quoted": _fill(b"a ", size, head=b'"', tail=b'"'),
        "open quote": _fill(b"a\n", size, head=b'"'),
        "folded": _fill(b" a\n\n", size, head=b"a: >\n"),
        "blanks": _fill(b" ", size),
        "comments": _fill(b"#\n", size),
        "colons": _fill(b":", size),
        "tags": _fill(b"!a ", size),
        "percent escapes": _fill(b"%41", size, head=b"!<", tail=b"> a"),
    }


def _pack_files(size: int) -> dict[str, bytes]:
    yaml = {name: join_files({"pack.yaml": content}) for name, content in _yaml(size).items()}
    table = b"Event Number,Time,To,Subject\n"
    return yaml | {
        "rows": join_files({"pack.yaml": b"pack: {format: 1}\n", "msel.csv": _fill(b"E,T+1m,a,b\n", size, head=table)}),
        "commas": join_files({"pack.yaml": b"pack: {format: 1}\n", "msel.csv": _fill(b",", size)}),
        "open cell": join_files(
            {"pack.yaml": b"pack: {format: 1}\n", "msel.csv": _fill(b"a\n", size, head=table + b'"')}
        ),
        "recipients": join_files(
            {
                "pack.yaml": b"pack: {format: 1}\n",
                "msel.csv": _fill(b"a;", size, head=table + b'E,T+1m,"', tail=b'",b\n'),
            }
        ),
    }


def _intake(size: int) -> dict[str, bytes]:
    uuid = b"00000000-0000-4000-8000-%012d"
    attribute = b'{"uuid":"' + uuid + b'","type":"domain","category":"Network activity","value":"a","distribution":"5"}'
    attributes = b",".join(attribute % number for number in range(size // 130))
    event = b'{"Event":{"uuid":"00000000-0000-4000-8000-000000000001","info":"a","date":"2026-03-01","published":true,'
    return _json(size) | {
        "misp attributes": event + b'"distribution":"3","Attribute":[' + attributes + b"]}}",
        "misp tags": event + b'"distribution":"3","Tag":[' + b",".join([b'{"name":"a"}'] * (size // 14)) + b"]}}",
        "stix objects": b'{"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000001","objects":['
        + b",".join(b'{"type":"a","id":"a--00000000-0000-4000-8000-%012d"}' % number for number in range(size // 60))
        + b"]}",
    }


def _streams(size: int) -> dict[str, bytes]:
    topic = b"\x00\x0esw/1/alpha/up\x00"[:-1]
    return {
        "giant length": b"\x30\xff\xff\xff\x7f" + bytes(size),
        "pings": b"\xc0\x00" * (size // 2),
        "user properties": _packet(
            0x32, topic + b"\x00\x07" + encode_variable_integer(4_000) + b"\x26\x00\x00\x00\x00" * 800
        ),
        "filters": _packet(0x82, b"\x00\x01\x00" + b"\x00\x01a\x00" * (size // 4)),
        "empty publishes": _packet(0x30, b"\x00\x0dsw/1/alpha/up\x00") * (size // 18),
        "unknown": bytes(size),
    }


def _note(size: int) -> dict[str, bytes]:
    return {
        "signatures": _fill("\u2014 a AAAAAAA=\n".encode(), size, head=b"a\n1\nAAAA\n\n"),
        "empty lines": _fill(b"\n", size),
        "dashes": _fill("\u2014".encode(), size),
        "digits": b"a\n" + b"9" * size + b"\nAAAA\n\n\xe2\x80\x94 a AAAAAAA=\n",
    }


AMPLIFIERS: Final[Mapping[str, Callable[[], dict[str, bytes]]]] = {
    "packets": lambda: _streams(_FILE),
    "session": lambda: _streams(_FILE),
    "frame-up": lambda: _packed(FRAME_BYTES_MAX),
    "frame-down": lambda: _packed(FRAME_BYTES_MAX),
    "envelope": lambda: _packed(256 * 1024),
    "delivery": lambda: _packed(256 * 1024),
    "content": lambda: _packed(4 * 1024 * 1024),
    "bundle": lambda: _packed(768 * 1024),
    "note": lambda: _note(512 * 1024),
    "pack": lambda: _pack_files(_FILE),
    "report-file": lambda: _yaml(_FILE),
    "outgoing": lambda: _json(8 * _FILE),
    "stix": lambda: _intake(4 * _FILE),
    "plan": lambda: _json(_FILE),
    "settings": lambda: _json(_FILE),
    "root": lambda: _packed(768 * 1024),
    "key-file": lambda: _packed(64 * 1024),
}
