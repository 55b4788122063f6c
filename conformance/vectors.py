"""What a vector is, and how a file of them is read: one fault, one expected verdict, exact stage and code.

The files beside this module are data for implementers in any language; docs/reference says how to use them. Nothing
here knows how a vector is made (``conformance.evil``) or judged (``conformance.reference``).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from schemas.errors import Code, InputError, LogFault, Stage

SCHEMA: Final = "sandiwara-vectors/1"
FOLDER: Final = Path(__file__).resolve().parent / "vectors"
LAYERS: Final = {
    "L0": "msgpack bytes",
    "L1": "keys and signature input",
    "L2": "commitment, payload and chunks",
    "L3": "envelopes, as a router and as a reader sees them",
    "L4": "messages after other messages",
    "L5": "frames, announcements, bundles and verdicts",
    "L6": "the provable log, as a witness or an auditor sees it",
}
VERDICTS: Final = frozenset({"accept", "reject", "not-for-me", "repeat"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a vector is to come to, or came to.

    Attributes:
        verdict: ``accept``, ``reject``, ``not-for-me``, or ``repeat`` where a router gives an earlier
            verdict again, or a reader meets a message again.
        stage: Where it failed; None unless a message was rejected.
        code: Why it failed; None unless a message was rejected.
        fault: What is wrong with a log; None unless something of a log was rejected.
        released: SHA-256, in hex, of the plaintexts that were released, joined in order of place; None if no
            plaintext comes into it.
    """

    verdict: str
    stage: Stage | None = None
    code: Code | None = None
    fault: LogFault | None = None
    released: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """One vector.

    Attributes:
        id: Given by the generator, never reused.
        name: What the generator knows it by.
        op: What is asked of the implementation.
        req: The requirements it tests.
        comment: The fault in words.
        why: What goes wrong where an implementation lets it pass.
        flags: Notes of the file that it belongs to.
        base: The id of the accepted vector that it differs from, or None.
        mutation: In what it differs.
        context: What the implementation knows beside the input; bytes are in hex.
        input: The bytes.
        expect: The outcome.
        since: The version of the specification that brought it.
    """

    id: str
    name: str
    op: str
    req: tuple[str, ...]
    comment: str
    why: str
    expect: Outcome
    input: bytes = field(repr=False)
    context: Mapping[str, Any] = field(default_factory=dict, repr=False)
    flags: tuple[str, ...] = ()
    base: str | None = None
    mutation: str = ""
    since: str = "1.0"

    @property
    def layer(self) -> str:
        """The layer, which the id begins with."""
        return self.id.partition("-")[0]

    def as_json(self) -> dict[str, Any]:
        """Return the form of the file."""
        expect: dict[str, str] = {"verdict": self.expect.verdict}
        if self.expect.stage is not None and self.expect.code is not None:
            expect |= {"stage": self.expect.stage.value, "code": self.expect.code.value}
        if self.expect.fault is not None:
            expect["fault"] = self.expect.fault.value
        if self.expect.released is not None:
            expect["released"] = self.expect.released
        return {
            "id": self.id,
            "name": self.name,
            "op": self.op,
            "req": list(self.req),
            "comment": self.comment,
            "why": self.why,
            "flags": list(self.flags),
            "base": self.base,
            "mutation": self.mutation,
            "context": dict(self.context),
            "input": self.input.hex(),
            "since": self.since,
            "expect": expect,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorFile:
    """The vectors of one layer, and what they share."""

    layer: str
    notes: Mapping[str, Mapping[str, Any]]
    fixtures: Mapping[str, Any]
    vectors: tuple[Vector, ...]


def write_file(file: VectorFile, *, spec: str) -> str:
    """Return the text of a vector file: one vector a line."""
    head = {
        "schema": SCHEMA,
        "spec": spec,
        "layer": file.layer,
        "about": LAYERS[file.layer],
        "notes": file.notes,
        "fixtures": file.fixtures,
    }
    lines = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
    vectors = ",\n".join(
        "  " + json.dumps(vector.as_json(), ensure_ascii=False, separators=(", ", ": ")) for vector in file.vectors
    )
    return f'{lines},\n "vectors": [\n{vectors}\n ]\n}}\n'


def _read_vector(row: Mapping[str, Any]) -> Vector:
    expect = row["expect"]
    outcome = Outcome(
        verdict=expect["verdict"],
        stage=Stage(expect["stage"]) if "stage" in expect else None,
        code=Code(expect["code"]) if "code" in expect else None,
        fault=LogFault(expect["fault"]) if "fault" in expect else None,
        released=expect.get("released"),
    )
    known = {**row, "req": tuple(row["req"]), "flags": tuple(row["flags"]), "expect": outcome}
    known["input"] = bytes.fromhex(row["input"])
    if outcome.verdict not in VERDICTS or (outcome.verdict == "reject") != (
        (outcome.code or outcome.fault) is not None
    ):
        msg = f"{row['id']} expects {outcome.verdict}"
        raise ValueError(msg)
    return Vector(**known)


def _check_schema(found: Mapping[str, Any]) -> None:
    if found["schema"] != SCHEMA:
        msg = f"its schema is {found['schema']!r}"
        raise ValueError(msg)


def read_file(path: Path) -> VectorFile:
    """Read one vector file.

    Raises:
        InputError: If it cannot be read, or is none of this schema.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        _check_schema(found)
        return VectorFile(
            layer=found["layer"],
            notes=found["notes"],
            fixtures=found["fixtures"],
            vectors=tuple(_read_vector(row) for row in found["vectors"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path} is no vector file: {error}"
        raise InputError(msg, remedy=f"give files of the schema {SCHEMA}") from error


def read_folder(folder: Path = FOLDER) -> tuple[VectorFile, ...]:
    """Read all vector files of a folder.

    Raises:
        InputError: As ``read_file``; also if there are none, or an id stands twice.
    """
    files = tuple(read_file(path) for path in sorted(folder.glob("L*.json")))
    ids = [vector.id for vector in every_vector(files)]
    if not ids or len(set(ids)) != len(ids):
        msg = f"{folder} holds {'an id twice' if ids else 'no vectors'}"
        raise InputError(msg, remedy="run: python -m conformance.evil --write")
    return files


def every_vector(files: Iterable[VectorFile]) -> Sequence[Vector]:
    """Return the vectors of all files, in order."""
    return [vector for file in files for vector in file.vectors]
