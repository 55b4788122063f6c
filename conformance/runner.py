"""Run the vectors against a codec and say, vector by vector, whether it did what the specification asks.

A crash is never a refusal, an unknown operation never a pass, and the right stage with another code is a warning: codes
are for logs, stages are where a message was stopped.
"""

import argparse
import enum
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from conformance.reference import judge
from conformance.vectors import FOLDER, Outcome, Vector, VectorFile, every_vector, read_folder
from schemas.errors import InputError, UsageError

NOTHING_RELEASED: Final = sha256(b"").hexdigest()
Judge = Callable[[Vector], Outcome]


class Mark(enum.StrEnum):
    """How a vector came out."""

    PASS = "PASS"  # noqa: S105 - a mark and no password
    WARN = "WARN"
    FAIL = "FAIL"
    CRASH = "CRASH"
    UNTESTABLE = "UNTESTABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one vector came to; ``got`` is None if there was no outcome."""

    vector: Vector
    mark: Mark
    got: Outcome | None
    text: str = ""


def compare(vector: Vector, got: Outcome) -> Finding:
    """Compare an outcome with what was expected."""
    want = vector.expect
    if got.verdict != want.verdict:
        return Finding(vector=vector, mark=Mark.FAIL, got=got, text=f"expected {want.verdict}, got {got.verdict}")
    if want.verdict == "reject" and got.released not in (None, NOTHING_RELEASED):
        return Finding(vector=vector, mark=Mark.FAIL, got=got, text="rejected, but released a plaintext")
    if (got.stage, got.fault) != (want.stage, want.fault):
        text = f"expected to fail at {want.stage or want.fault}, failed at {got.stage or got.fault} ({got.code})"
        return Finding(vector=vector, mark=Mark.FAIL, got=got, text=text)
    if want.released is not None and got.released != want.released:
        return Finding(vector=vector, mark=Mark.FAIL, got=got, text="released another plaintext")
    if got.code != want.code:
        return Finding(vector=vector, mark=Mark.WARN, got=got, text=f"expected {want.code}, got {got.code}")
    return Finding(vector=vector, mark=Mark.PASS, got=got)


def run_vector(vector: Vector, judge_one: Judge = judge) -> Finding:
    """Run one vector; whatever the implementation does, there is a finding."""
    try:
        got = judge_one(vector)
    except UsageError as error:
        return Finding(vector=vector, mark=Mark.UNTESTABLE, got=None, text=str(error))
    except Exception as error:  # noqa: BLE001 - any exception of the implementation under test is a crash, and told so
        return Finding(vector=vector, mark=Mark.CRASH, got=None, text=f"{type(error).__name__}: {error}")
    return compare(vector, got)


def run(files: Sequence[VectorFile], judge_one: Judge = judge) -> tuple[Finding, ...]:
    """Run all vectors of some files."""
    return tuple(run_vector(vector, judge_one) for vector in every_vector(files))


def digest_of(folder: Path) -> str:
    """Return the digest of the corpus, which every report carries."""
    whole = sha256()
    for path in sorted(folder.glob("L*.json")):
        whole.update(path.name.encode() + b"\0" + sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def report(findings: Sequence[Finding], *, corpus: str) -> dict[str, Any]:
    """Return the run for machines."""
    counts = Counter(finding.mark.value for finding in findings)
    failed = {req for finding in findings if finding.mark not in {Mark.PASS, Mark.WARN} for req in finding.vector.req}
    tested = {req for finding in findings for req in finding.vector.req}
    return {
        "schema": "sandiwara-vector-report/1",
        "corpus": corpus,
        "vectors": len(findings),
        "marks": {mark.value: counts.get(mark.value, 0) for mark in Mark},
        "requirements": {"tested": sorted(tested), "failed": sorted(failed)},
        "findings": [
            {
                "id": finding.vector.id,
                "name": finding.vector.name,
                "req": list(finding.vector.req),
                "mark": finding.mark.value,
                "text": finding.text,
            }
            for finding in findings
        ],
    }


def summary(findings: Sequence[Finding], *, corpus: str) -> str:
    """Return the run for people: one line a layer, then whatever did not pass, with why it matters."""
    lines = []
    for layer in sorted({finding.vector.layer for finding in findings}):
        counts = Counter(finding.mark for finding in findings if finding.vector.layer == layer)
        told = ", ".join(f"{counts[mark]} {mark.value}" for mark in Mark if counts[mark])
        lines.append(f"{layer}  {told}")
    for finding in findings:
        if finding.mark is not Mark.PASS:
            vector = finding.vector
            lines += [
                f"{finding.mark.value} {vector.id} {vector.name} [{' '.join(vector.req)}]: {finding.text}",
                f"    {vector.comment} {vector.why[0].upper()}{vector.why[1:]}.",
            ]
    tested = {req for finding in findings for req in finding.vector.req}
    lines.append(f"{len(findings)} vectors, {len(tested)} requirements, corpus {corpus[:16]}")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 if conformant, 1 if not, 2 if the vectors cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m conformance.runner", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the vector files are")
    parser.add_argument("--json", action="store_true", help="write the report for machines")
    parser.add_argument("--only", default="", help="run the vectors whose id or name begins so")
    options = parser.parse_args(arguments)
    try:
        files = read_folder(options.folder)
    except InputError as error:
        sys.stderr.write(f"{error}\n{error.remedy}\n")
        return 2
    chosen = [
        vector
        for vector in every_vector(files)
        if vector.id.startswith(options.only) or vector.name.startswith(options.only)
    ]
    if not chosen:
        sys.stderr.write(f"no vector begins with {options.only!r}\ngive an id such as L3-001, or a layer such as L3\n")
        return 2
    findings = tuple(run_vector(vector) for vector in chosen)
    corpus = digest_of(options.folder)
    if options.json:
        sys.stdout.write(json.dumps(report(findings, corpus=corpus), indent=1) + "\n")
    else:
        sys.stdout.write(summary(findings, corpus=corpus))
    return 0 if all(finding.mark in {Mark.PASS, Mark.WARN} for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
