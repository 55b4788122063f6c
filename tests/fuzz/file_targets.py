"""The readers of files: packs, reports to send, STIX and MISP, plans, settings, key files.

An input that is a whole folder is written as one text, its files behind lines that name them; so every mutation of
bytes is also one of file names, of order, and of which files are there.
"""

import atexit
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from agencies.intake.intake import read_bytes
from agencies.intake.shapes import IntakeDefaults
from conformance import world
from console.report_file import read_report
from console.spool import read_one
from policy.community import Community
from scenarios.deployed import read_root, read_settings
from scenarios.pack import load_pack
from scenarios.soak.plan import read_plan
from schemas.codec import pack, read_shape, unpack
from schemas.limits import BUNDLE_BYTES_MAX, CONTENT_BYTES_MAX
from schemas.report import Report
from sealing.keyfile import UNSAFE_THROWAWAY, KeyRing, box_secret, read_key_file, write_key_file
from tests.fuzz.target import Target, size_of

_REPOSITORY: Final = Path(__file__).parents[2]
_FILE_LINE: Final = b"\n=== "
_FILES_MAX: Final = 24
_PASSWORD: Final = b"correct horse"


@cache
def scratch() -> Path:
    """Return a folder of this process for what must be read from a disk; gone with the process."""
    memory = Path("/dev/shm")  # noqa: S108 -- a folder in memory, where there is one, spares the disk a million writes
    kept = tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None, prefix="sandiwara-fuzz-")
    atexit.register(kept.cleanup)
    return Path(kept.name)


def join_files(files: dict[str, bytes]) -> bytes:
    """Return a folder as one text."""
    return b"".join(_FILE_LINE + name.encode() + b"\n" + content for name, content in files.items())


def split_files(received: bytes) -> dict[str, bytes]:
    """Return the files of a text; a name that would lead out of the folder loses what makes it do so."""
    files: dict[str, bytes] = {}
    for part in received.split(_FILE_LINE)[1 : _FILES_MAX + 1]:
        name, _, content = part.partition(b"\n")
        levels = [level[:60] for level in name.replace(b"\0", b"").split(b"/")[:3] if level not in {b"", b".", b".."}]
        if levels:
            files[os.fsdecode(b"/".join(levels))] = content
    return files


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    """Write the files, each where its name says, as far as a disk allows it; what was there before is removed."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name
        if any((folder / part).is_file() for part in Path(name).parents) or path.is_dir():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def _file(name: str, received: bytes) -> Path:
    path = scratch() / name
    path.write_bytes(received)
    path.chmod(0o600)
    return path


# Packs.


@cache
def pack_samples() -> tuple[bytes, ...]:
    """Return a small pack in one file, the same with a table for its MSEL, and one with content files."""
    whole = (_REPOSITORY / "tests" / "packs" / "harbour-watch.yaml").read_bytes()
    table = (
        b"Event Number,Time,Mode,From,To,Subject,Message,Expected Player Action,Controller,Objective,Notes\r\n"
        b'E01,T+00:05,email,sim/harbour-master,"mys-mar; idn-mar",A barge was robbed,"EXERCISE. A {F1: barge}",tell,'
        b"excon,O1,none\r\nE02,T+1h,phone,sim/minister,mys-mar,The minister asks,,say,excon,O1,\r\n"
    )
    before, _, after = whole.partition(b"msel:\n")
    without = before + after[after.find(b"branches:") :]
    folder = _REPOSITORY / "scenarios" / "library" / "region"
    region = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
    return (
        join_files({"pack.yaml": whole}),
        join_files({"pack.yaml": without, "msel.csv": table}),
        join_files(region),
    )


def _feed_pack(received: bytes) -> None:
    found = load_pack(write_folder(scratch() / "pack", split_files(received)))
    size_of(found, objects_max=200 * len(received) + 10_000, depth_max=24)


# Reports to send, and what waits in a node's outgoing folder.


@cache
def report_samples() -> tuple[bytes, ...]:
    """Return report files as people write them."""
    yaml = (
        b"title: Boarding\ntlp: AMBER\nlevel: EX-RESTRICTED\ntopic: toc.piracy\naffected: [IDN, MYS]\n"
        b"to: [bravo, SGP, '@region']\n"
        b"portions:\n  - text: Six men came over the stern.\n    indicators: [{kind: vessel-name, value: KENANGA}]\n"
        b"  - {tlp: RED, rel: [bravo], title: For one desk, text: The citadel does not lock., not_before: T+2h}\n"
    )
    json_text = (
        b'{"title": "A", "tlp": "GREEN", "level": "EX-UNCLAS", "topic": "cyber.phishing", "text": "t\\ud83d\\ude00",'
        b' "caveats": ["ORCON"], "compartments": ["SEA-EYES"], "mechanisms": ["our-eyes"], "not": ["delta"],'
        b' "precedence": "FLASH", "language": "ms"}'
    )
    return yaml, json_text


@cache
def _community() -> Community:
    return Community.compile(world.BUNDLE)


def _feed_report(received: bytes) -> None:
    written = read_report(received, "report.yaml", community=_community(), now_ms=world.NOW)
    for portion in written.portions:
        assert read_shape(Report, Report((portion,))) is not None
        assert len(pack(portion.content)) <= CONTENT_BYTES_MAX
    size_of(written, objects_max=20 * len(received) + 200, depth_max=12)


@cache
def spool_samples() -> tuple[bytes, ...]:
    """Return reports as ``sandiwara send`` lays them down."""
    return tuple(
        json.dumps({"name": "report.yaml", "to": ["bravo"], "text": text.decode()}).encode()
        for text in report_samples()
    )


def _feed_spool(received: bytes) -> None:
    """What a node does with a file in its outgoing folder, which other programs of its user may write to."""
    waiting = read_one(_file("1.report", received))
    said = "\n".join((waiting.name, *waiting.to)).encode()
    assert len(said) < len(received) + 16
    read_report(waiting.text.encode(), waiting.name, community=_community(), now_ms=world.NOW)


# Threat intelligence of others.

_DEFAULTS: Final = IntakeDefaults(
    originator="alpha",
    organisations={"55f6ea5e-2c60-40e5-964f-47a8950d210f": "bravo", "Other": "@region"},
    sharing_groups={"1": ("IDN", "bravo")},
)


def _stix_id(kind: str, number: int) -> str:
    return f"{kind}--00000000-0000-4000-8000-{number:012d}"


@cache
def stix_samples() -> tuple[bytes, ...]:
    """Return a bundle with object and granular markings, a relationship, and an observable."""
    made = {"spec_version": "2.1", "created": "2026-03-01T00:00:00.000Z", "modified": "2026-03-01T00:00:00.000Z"}
    green, red = (
        f"marking-definition--{known}"
        for known in ("bab4a63c-aed9-4cf5-a766-dfca5abac2bb", "e828b379-4e03-4974-9ac4-e53a884c97c1")
    )
    objects: list[dict[str, Any]] = [
        {
            "type": "malware",
            "id": _stix_id("malware", 1),
            **made,
            "name": "Kenanga",
            "is_family": False,
            "object_marking_refs": [green],
            "description": "It waits.",
            "malware_types": ["bot"],
            "granular_markings": [{"marking_ref": red, "selectors": ["description", "malware_types.[0]"]}],
        },
        {
            "type": "indicator",
            "id": _stix_id("indicator", 2),
            **made,
            "pattern": "[ipv4-addr:value = '192.0.2.1']",
            "pattern_type": "stix",
            "valid_from": "2026-03-01T00:00:00Z",
            "object_marking_refs": [green],
            "confidence": 80,
        },
        {
            "type": "relationship",
            "id": _stix_id("relationship", 3),
            **made,
            "relationship_type": "indicates",
            "source_ref": _stix_id("indicator", 2),
            "target_ref": _stix_id("malware", 1),
        },
        {
            "type": "file",
            "id": _stix_id("file", 4),
            "spec_version": "2.1",
            "hashes": {"SHA-256": "a" * 64},
            "size": 9,
            "extensions": {"windows-pebinary-ext": {"sections": [{"name": ".text", "entropy": 1.5}]}},
        },
        {
            "type": "marking-definition",
            "id": _stix_id("marking-definition", 5),
            "spec_version": "2.1",
            "created": "2026-03-01T00:00:00.000Z",
            "definition_type": "statement",
            "definition": {"statement": "Ours"},
        },
        {
            "type": "sighting",
            "id": _stix_id("sighting", 6),
            **made,
            "sighting_of_ref": _stix_id("indicator", 2),
            "count": 3,
        },
    ]
    whole = {"type": "bundle", "id": _stix_id("bundle", 1), "objects": objects}
    return (json.dumps(whole).encode(), json.dumps({**whole, "objects": objects[:2]}).encode())


@cache
def misp_samples() -> tuple[bytes, ...]:
    """Return an event with a sharing group, objects, tags and a report."""

    def uuid(number: int) -> str:
        return f"00000000-0000-4000-8000-{number:012d}"

    attribute = {
        "uuid": uuid(2),
        "type": "ip-dst|port",
        "category": "Network activity",
        "value": "192.0.2.1|443",
        "to_ids": True,
        "distribution": "5",
        "comment": "seen",
        "first_seen": "2026-03-01T00:00:00+00:00",
        "timestamp": "1772323200",
        "Tag": [{"name": "tlp:red"}],
        "deleted": False,
    }
    group = {
        "id": "4",
        "uuid": uuid(44),
        "name": "Circle",
        "SharingGroupOrg": [
            {"extend": False, "Organisation": {"uuid": "55f6ea5e-2c60-40e5-964f-47a8950d210f", "name": "CIRCL"}}
        ],
    }
    event = {
        "uuid": uuid(1),
        "info": "Event words",
        "date": "2026-03-01",
        "published": True,
        "distribution": "4",
        "sharing_group_id": "4",
        "SharingGroup": group,
        "threat_level_id": "2",
        "analysis": "1",
        "timestamp": "1772323200",
        "Tag": [{"name": "tlp:amber"}, {"name": "PAP:GREEN"}],
        "Attribute": [attribute],
        "Object": [
            {"uuid": uuid(3), "name": "file", "meta-category": "file", "distribution": "0", "Attribute": [attribute]}
        ],
        "EventReport": [{"uuid": uuid(5), "name": "Words", "content": "# Title\ntext", "distribution": "5"}],
        "Orgc": {"uuid": "55f6ea5e-2c60-40e5-964f-47a8950d210f", "name": "CIRCL"},
    }
    return json.dumps({"Event": event}).encode(), json.dumps({"response": [{"Event": event}]}).encode()


def _feed_intake(received: bytes) -> None:
    imported = read_bytes(received, name="f.json", defaults=_DEFAULTS)
    assert read_shape(Report, imported.report) == imported.report
    for portion in imported.report.portions:
        unpack(pack(portion.content), bytes_max=CONTENT_BYTES_MAX)
    size_of(imported, objects_max=40 * len(received) + 1_000, depth_max=12)


# Plans, settings, roots, key files.


@cache
def plan_samples() -> tuple[bytes, ...]:
    """Return plans of the soak."""
    return tuple(path.read_bytes() for path in sorted((_REPOSITORY / "tests" / "corpus").glob("*.json"))[:6])


def _feed_plan(received: bytes) -> None:
    size_of(read_plan(_file("plan.json", received)).model_dump(), objects_max=len(received) + 64, depth_max=10)


@cache
def settings_samples() -> tuple[bytes, ...]:
    """Return the settings of a deployed region's parts."""
    document = {"format": 1, "host": "broker.example.org", "port": 8883, "tls": True, "password": "x" * 24}
    return json.dumps(document).encode(), json.dumps({**document, "host": "127.0.0.1", "tls": False}).encode()


def _feed_settings(received: bytes) -> None:
    settings = read_settings(_file("link.json", received))
    # They go on into a socket call and a certificate's check, which answer other values by errors of their own.
    assert 1 <= settings.port <= 65_535
    assert 0 < len(settings.host) <= 253
    assert settings.host.isascii()
    assert settings.host.isprintable()


def root_samples() -> Sequence[bytes]:
    """Return the authorities that a part trusts."""
    return (pack(world.TRUST),)


def _feed_root(received: bytes) -> None:
    folder = scratch() / "root"
    folder.mkdir(exist_ok=True)
    (folder / "trust-root").write_bytes(received)
    root = read_root(folder)
    assert len(pack(root)) <= BUNDLE_BYTES_MAX


@cache
def key_samples() -> tuple[bytes, ...]:
    """Return a key file."""
    path = scratch() / "sample.key"
    box = world.box_pair("alpha")
    secrets = (box_secret(epoch=7, secret_key=box.secret, not_before=box.not_before, expires=box.expires),)
    ring = KeyRing("alpha", world.secret("sign alpha"), secrets)
    entropy = world.ScriptedEntropy("key file")
    write_key_file(path, ring, password=_PASSWORD, cost=UNSAFE_THROWAWAY, entropy=entropy)
    return (path.read_bytes(),)


def _is_dear(received: bytes) -> bool:
    """Tell whether the file asks for more work than a fuzzer has time for; the shape bounds it at 6 passes, 512 MiB."""
    try:
        value: Any = unpack(received, bytes_max=1 << 20)
        return bool(value[3] * value[4] > 1 << 20)
    except Exception:  # noqa: BLE001 -- whatever this is, the reader under test shall say
        return False


def _feed_key(received: bytes) -> None:
    if not _is_dear(received):
        read_key_file(_file("a.key", received), name="alpha", password=_PASSWORD)


def _target(name: str, feed: Callable[[bytes], None], samples: Callable[[], Sequence[bytes]]) -> Target:
    return Target(name=name, feed=feed, samples=samples)


FILE_TARGETS: Final = (
    _target("pack", _feed_pack, pack_samples),
    _target("report-file", _feed_report, report_samples),
    _target("outgoing", _feed_spool, spool_samples),
    _target("stix", _feed_intake, stix_samples),
    _target("misp", _feed_intake, misp_samples),
    _target("plan", _feed_plan, plan_samples),
    _target("settings", _feed_settings, settings_samples),
    _target("root", _feed_root, root_samples),
    _target("key-file", _feed_key, key_samples),
)
