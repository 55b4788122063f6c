"""The verifier of an exported log, whose input is a whole folder that somebody else has made.

Whatever is in the folder, the verifier answers by findings and raises nothing. Hashes without a secret (chains of
journals, commitments, the tree) are made good before a second run, as a hostile exporter would: what lies behind them
is reached only so.
"""

import json
from functools import cache
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, Final

from conformance.audit_verifier import report_lines, verify_folder
from tests.fuzz.file_targets import join_files, scratch, split_files, write_folder
from tests.fuzz.target import Target, size_of
from tests.samples.audited_region import honest

_HEAD: Final = b"\x00\x24\x92\x01\xc4\x20"
_FINDINGS_MAX: Final = 2_000


@cache
def log_samples() -> tuple[bytes, ...]:
    """Return an honest log, and the same with an agency's journal as others could write it."""
    folder = honest().export(scratch() / "honest")
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
    return join_files(files), join_files({name: files[name] for name in files if not name.startswith("checkpoints")})


def made_good(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files with every hash made good that needs no secret."""
    made = dict(files)
    for name, content in files.items():
        if name.startswith("journals/") and name.endswith(".jsonl"):
            made[name] = _chained(content)
    if "trust.json" in files:
        made["trust.json"] = _digested(files["trust.json"])
    for kind, entries in (("", "leaves.bin"), ("cover-", "covers.bin")):
        if f"{kind}openings.bin" in files:
            made[entries], made[f"{kind}tree.bin"] = _committed(files[f"{kind}openings.bin"])
    return made


def _chained(content: bytes) -> bytes:
    chain, lines = bytes(32), list[bytes]()
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            value = json.loads(line)
            fields = _spelt(value["fields"])
            at_ms, stage = value["at_ms"], value["stage"]
            linked = f"{number}|{at_ms}|{stage}|{fields}".encode()
        except (ValueError, KeyError, TypeError, RecursionError):
            lines.append(line)
            continue
        chain = blake2b(chain + linked, digest_size=32, person=b"sw1 journal").digest()
        lines.append(_spelt({**value, "number": number, "chain": chain.hex()}).encode())
    return b"".join(line + b"\n" for line in lines)


def _digested(content: bytes) -> bytes:
    try:
        value = json.loads(content)
        rest = {name: value[name] for name in ("authorities", "threshold")}
        return (_spelt({**value, "digest": sha256(_spelt(rest).encode()).hexdigest()}) + "\n").encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        return content


def _spelt(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _committed(openings: bytes) -> tuple[bytes, bytes]:
    """Return leaves and tree over whatever the openings say."""
    leaves, tree, peaks = bytearray(), bytearray(), list[bytes]()
    at = number = 0
    while at + 34 <= len(openings):
        begin = at + 34
        size = int.from_bytes(openings[begin - 2 : begin], "big")
        statement = openings[begin : begin + size]
        key = openings[at : at + 32]
        message = number.to_bytes(8, "big") + statement
        entry = _HEAD + blake2b(message, digest_size=32, key=key, person=b"sw1 leaf").digest()
        here = sha256(b"\x00" + entry[2:]).digest()
        leaves += entry
        tree += here
        index = number
        while index & 1:
            here = sha256(b"\x01" + peaks.pop() + here).digest()
            tree += here
            index >>= 1
        peaks.append(here)
        at, number = begin + size, number + 1
    return bytes(leaves), bytes(tree)


def _feed_log(received: bytes) -> None:
    files = split_files(received)
    for shown in (files, made_good(files)):
        folder: Path = write_folder(scratch() / "log", shown)
        report = verify_folder(folder)
        assert len(report.findings) <= _FINDINGS_MAX, "more findings than anybody reads"
        size_of(report, objects_max=20 * _FINDINGS_MAX)
        "\n".join(report_lines(report)).encode()


AUDIT_TARGETS: Final = (Target(name="audit-log", feed=_feed_log, samples=log_samples, refusals=()),)
