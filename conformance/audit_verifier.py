"""The verifier of an exported log: checks every byte of a folder, and says what is wrong, where and by whom.

Run it with ``python -m conformance.audit_verifier FOLDER`` (docs/spec/audit.md, "Exported log"). It trusts the
authorities in ``trust.json`` and nothing else: they sign the bundle, the bundle names the keys, the keys sign
checkpoints, cosignatures and journals, and the checkpoints cover every leaf. Nothing is taken from the parts that wrote
the folder but the check of one Ed25519 signature.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from conformance.audit_checkpoints import (
    CHECKPOINTS,
    WITNESSES,
    check_roots,
    check_witnessed,
    read_checkpoints,
    read_witnesses,
    verifies,
)
from conformance.audit_covers import COVERS, check_covers, leaves_under, read_covers
from conformance.audit_journals import JOURNALS, read_journal
from conformance.audit_reading import Audit, Finding, Keys, Unpacker, UnreadableError, canonical, read_keys, read_line
from conformance.audit_reconcile import reconcile
from conformance.audit_tree import LEAVES, Files, Tree, read_tree

TRUST_FILE: Final = "trust.json"
BUNDLE_FILE: Final = "bundle.bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of it. The log holds if ``findings`` is empty.

    Attributes:
        findings: What is wrong.
        leaves: How many there are.
        covers: How many there are.
        checkpoints: How many there are.
        cosignatures: How many there are, on all of them.
        cosigned_leaves: How many leaves the largest checkpoint stands for that any agency cosigned; later ones are
            vouched for by the router alone.
        messages: How many were admitted.
        outstanding: Deliveries that were decided, and neither acked nor cancelled.
        journals: How many agencies' journals were laid beside the log.
    """

    findings: tuple[Finding, ...]
    leaves: int = 0
    covers: int = 0
    checkpoints: int = 0
    cosignatures: int = 0
    cosigned_leaves: int = 0
    messages: int = 0
    outstanding: int = 0
    journals: int = 0


def verify_folder(folder: Path) -> Report:
    """Check an exported log; whatever is wrong is in the report, and nothing raises."""
    trusted = Audit(folder=folder, keys=Keys({}, {}))
    trust = trusted.read(TRUST_FILE, "whoever keeps this file", _read_trust)
    keys = trusted.read(BUNDLE_FILE, "an authority", lambda received: _read_bundle(received, trust or {}))
    if trust is None or keys is None or len(keys.routers) != 1:
        if keys is not None and trust is not None:
            trusted.add("unreadable", BUNDLE_FILE, (0, 0), "an authority", "a log is of one router, and it names more")
        return Report(findings=tuple(trusted.findings))
    audit = Audit(folder=folder, keys=keys)
    return _verify(audit, next(iter(keys.routers)))


def _verify(audit: Audit, router: str) -> Report:
    checkpoints = read_checkpoints(audit, router)
    witnessed = read_witnesses(audit, router)
    journals = {agency: read_journal(audit, agency) for agency in audit.names(JOURNALS, ".jsonl")}
    sizes = frozenset(item.note.size for item in (*checkpoints, *witnessed))
    covers = _read_tree(audit, COVERS, sizes, router)
    check_roots(audit, checkpoints, covers)
    check_witnessed(audit, witnessed, checkpoints, covers)
    said = read_covers(audit, covers)
    tree = _read_tree(audit, LEAVES, frozenset(item.size for item in said if item is not None), router)
    check_covers(audit, said, tree)
    _check_strangers(audit)
    reconciled = reconcile(tree.openings, journals, router=router)
    return Report(
        findings=(*audit.findings, *reconciled.findings),
        leaves=tree.size,
        covers=covers.size,
        checkpoints=len(checkpoints),
        cosignatures=audit.cosignatures,
        cosigned_leaves=leaves_under(said, audit.cosigned_covers),
        messages=reconciled.messages,
        outstanding=reconciled.outstanding,
        journals=len(journals),
    )


def _read_tree(audit: Audit, files: Files, sizes: frozenset[int], router: str) -> Tree:
    entries, openings, hashes = (audit.read(name, router, lambda received: received) or b"" for name in files)
    tree = read_tree(entries, openings, hashes, sizes=sizes, router=router, files=files)
    audit.findings += tree.findings
    return tree


# Whom to trust.


def _read_trust(received: bytes) -> dict[str, Any]:
    """Read the authorities; the digest keeps a slip in this file from being taken for a forged bundle."""
    value = read_line(received.removesuffix(b"\n"), frozenset({"authorities", "digest", "threshold"}))
    rest = {name: value[name] for name in ("authorities", "threshold")}
    if not received.endswith(b"\n") or value["digest"] != sha256(canonical(rest).encode()).hexdigest():
        msg = "the digest is not that of the rest"
        raise UnreadableError(msg)
    authorities, threshold = value["authorities"], value["threshold"]
    # Without this, a threshold of nobody would take a bundle that nobody signed.
    if not isinstance(authorities, dict) or type(threshold) is not int or threshold < 1:
        msg = "no authorities, or no number of them that must sign"
        raise UnreadableError(msg)
    return value


def _read_bundle(received: bytes, trust: dict[str, Any]) -> Keys:
    """Prove the bundle by its authorities, and return the keys that it names."""
    value = Unpacker.whole(received)
    try:
        bundle, signatures = value
        proved: set[bytes] = set()
        for authority, signature in signatures:
            public = bytes.fromhex(trust.get("authorities", {}).get(authority, ""))
            if not public or not verifies(public, b"sw1 bundle\0" + bundle, signature):
                msg = f"the signature of {authority} does not verify, or it is no authority"
                raise UnreadableError(msg)
            proved.add(public)
    except (TypeError, ValueError) as error:
        msg = "no signed bundle"
        raise UnreadableError(msg) from error
    if len(proved) < trust.get("threshold", sys.maxsize):
        msg = "too few authorities signed"
        raise UnreadableError(msg)
    return read_keys(bundle)


def _check_strangers(audit: Audit) -> None:
    """A file that nothing checks could be taken for a part of the proof."""
    single = {TRUST_FILE, BUNDLE_FILE, *LEAVES, *COVERS}
    kinds = {CHECKPOINTS: {".txt"}, WITNESSES: {".txt"}, JOURNALS: {".jsonl", ".head"}}
    for path in sorted(audit.folder.rglob("*")):
        file = path.relative_to(audit.folder).as_posix()
        if path.is_file() and file not in single and path.suffix not in kinds.get(file.partition("/")[0], set()):
            audit.add("unreadable", file, (0, path.stat().st_size), "whoever made the folder", "no part of a log")
        if path.suffix == ".head" and not path.with_suffix(".jsonl").is_file():
            audit.add("dropped", file, (0, path.stat().st_size), path.stem, "the journal of this head is missing")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 if the log holds, 1 if it does not."""
    parser = argparse.ArgumentParser(prog="python -m conformance.audit_verifier", description=__doc__)
    parser.add_argument("folder", type=Path, help="the exported log")
    parser.add_argument("--json", action="store_true", help="write the report as JSON")
    options = parser.parse_args(arguments)
    report = verify_folder(options.folder)
    if options.json:
        # In ASCII: a file may have a name that is no text.
        sys.stdout.write(json.dumps(asdict(report)) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in report_lines(report)))
    return 1 if report.findings else 0


def report_lines(report: Report) -> list[str]:
    """Return the report for people."""
    covered = f"{report.cosignatures} cosignatures; {report.cosigned_leaves} leaves are cosigned"
    return [
        *(finding.line() for finding in report.findings),
        f"{report.leaves} leaves, {report.covers} covers, {report.checkpoints} checkpoints, {covered}",
        f"{report.messages} messages against {report.journals} journals; {report.outstanding} deliveries outstanding",
        f"{len(report.findings)} findings" if report.findings else "nothing is unexplained",
    ]


if __name__ == "__main__":
    sys.exit(main())
