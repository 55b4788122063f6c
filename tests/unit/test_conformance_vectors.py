"""The vectors: regenerated to the byte, passed by our codec, each of use, and a runner that cannot be talked round."""

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from conformance import evil, reference, runner, world
from conformance.ablation import EXCUSED, WHOLE, checks, main, noticed_by, read_record
from conformance.evil_book import sealed
from conformance.evil_sealer import EvilSealer, Plan, content, cut
from conformance.reference import OPERATIONS, judge
from conformance.requirements import SPEC_FOLDER, read_register
from conformance.runner import Mark, compare, digest_of, run, run_vector
from conformance.vectors import (
    FOLDER,
    LAYERS,
    SCHEMA,
    Outcome,
    Vector,
    VectorFile,
    every_vector,
    read_file,
    read_folder,
)
from schemas.errors import Code, InputError, RemoteError, Stage
from schemas.limits import PORTIONS_MAX
from sealing.pairs import PairKeys
from sealing.primitives import decrypt, keyed
from sealing.seal import Reader, release, seal


@cache
def files() -> tuple[VectorFile, ...]:
    return read_folder()


def vectors() -> list[Vector]:
    return list(every_vector(files()))


@cache
def by_name() -> dict[str, Vector]:
    return {vector.name: vector for vector in vectors()}


# The corpus.


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_our_codec_passes_every_vector(layer: str) -> None:
    findings = run([file for file in files() if file.layer == layer])

    assert findings
    assert [] == [(f.vector.id, f.vector.name, f.mark, f.text) for f in findings if f.mark is not Mark.PASS]


def test_the_generator_writes_the_same_bytes_again() -> None:
    """Twice in one process: no hook and no cache carries anything from one vector to the next."""
    known = evil.known_ids(FOLDER)
    once, again = evil.make_files(known), evil.make_files(known)

    assert once == again
    assert once == {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("L*.json")}


def test_ids_stay_with_the_names_that_they_were_given_to() -> None:
    """A vector that is added must not rename its neighbours: reports out in the world name them."""
    known = {name: id_ for name, id_ in evil.known_ids(FOLDER).items() if name != "map"}
    anew = {row["name"]: row["id"] for row in json.loads(evil.make_files(known)["L0.json"])["vectors"]}

    assert {name: id_ for name, id_ in known.items() if id_.startswith("L0")}.items() <= anew.items()
    assert anew["map"] not in known.values()


def test_each_vector_names_requirements_that_there_are() -> None:
    registered = {item.id for item in read_register(SPEC_FOLDER / "requirements.json") if item.level != "WITHDRAWN"}

    assert [] == [vector.id for vector in vectors() if not vector.req or not set(vector.req) <= registered]


def test_each_fault_departs_from_a_base_that_is_accepted() -> None:
    accepted = {vector.id for vector in vectors() if vector.expect.verdict in {"accept", "repeat"}}
    faults = [vector for vector in vectors() if vector.expect.verdict not in {"accept", "repeat"}]

    assert [] == [vector.name for vector in faults if vector.base not in accepted]
    assert [] == [vector.name for vector in faults if not (vector.mutation and vector.why and vector.comment)]


def test_no_two_vectors_are_the_same() -> None:
    seen = {(vector.op, vector.input, json.dumps(dict(vector.context), sort_keys=True)) for vector in vectors()}

    assert len(vectors()) == len(seen)


def test_flags_are_noted_and_notes_are_used() -> None:
    for file in files():
        assert set(file.notes) == {flag for vector in file.vectors for flag in vector.flags}


def test_the_corpus_covers_every_code_that_a_codec_can_meet() -> None:
    """A quota is the machine's matter, and what is for somebody else is no fault."""
    met = {vector.expect.code for vector in vectors() if vector.expect.code}

    assert {Code.QUOTA, Code.NOT_FOR_ME} == set(Code) - met
    assert any(vector.expect.verdict == "not-for-me" for vector in vectors())


def test_the_salamander_is_a_real_one() -> None:
    """Both keys find the tag right; only the commitment tells the second text from the first."""
    vector = by_name()["salamander"]
    other = keyed(b"sw1 key", bytes.fromhex(vector.context["key"]), bytes(2), size=64)[:32]

    assert decrypt(other, vector.input[32:], code=Code.BAD_TAG)


# The second sealer.


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 9, 17, PORTIONS_MAX])
def test_the_evil_sealer_without_hooks_makes_what_sealing_makes(count: int) -> None:
    """Two sealers, written apart, agree on every byte: the specification says enough."""
    plan = Plan(name=f"twin {count}", labels=(world.LABEL,) * count, readers=(("bravo", tuple(range(count))),))
    theirs = EvilSealer(plan).release(EvilSealer(plan).seal())
    message = seal(
        [(world.LABEL, content(f"Part {number}")) for number in range(1, count + 1)],
        kind="report",
        by=("alpha",),
        ts=world.NOW,
        exp=world.NOW + world.DAY_MS,
        bundle_version=world.BUNDLE_VERSION,
        entropy=world.ScriptedEntropy(plan.name),
    )
    box = world.boxes().at_epoch("bravo", world.EPOCH, now_ms=world.NOW)
    reader = Reader(
        to="bravo",
        bits=message.bits(range(count)),
        seq=1,
        from_epoch=world.EPOCH,
        to_epoch=world.EPOCH,
        pair_key=PairKeys("alpha").to_reader(world.box_pair("alpha"), "bravo", box),
    )

    assert release(message, [reader], signer=world.sign_pair("alpha")) == theirs


def test_the_cut_of_the_evil_sealer_is_that_of_the_router() -> None:
    from broker.cuts import Cutter, Release
    from sealing.received import read_envelope

    received = read_envelope(sealed()[1])
    parts = Release(
        header=received.envelope.header,
        wraps_hash=received.envelope.wraps_hash,
        signature=received.envelope.signature,
        cosignatures=received.envelope.cosignatures,
        disclosures={portion.place: portion.received for portion in received.portions},
        blobs={portion.place: portion.blob or b"" for portion in received.portions},
    )

    for wrap in received.wraps:
        assert Cutter(parts).cut(wrap) == cut(sealed()[1], wrap.to)


# Ablation: every check is missed by somebody.


def test_every_check_of_the_code_is_recorded_as_noticed_or_excused() -> None:
    """A check that is new in the code fails here until a vector notices its absence, or a reason says why none can."""
    record = read_record()
    standing = {check.name for check in checks()}

    assert set(record) == standing, "run: python -m conformance.ablation --write"
    assert set(EXCUSED) == {name for name, ids in record.items() if not ids}
    assert set(WHOLE) <= standing


@pytest.mark.parametrize(
    "check", [check for check in checks() if check.name not in EXCUSED], ids=lambda check: check.name
)
def test_a_check_taken_out_is_noticed_by_the_vectors_on_record(check: object) -> None:
    """The whole sweep is ``python -m conformance.ablation``; here each check meets a few of those that noticed it."""
    from conformance.ablation import Check

    assert isinstance(check, Check)
    ids = read_record().get(check.name, [])[:4]
    assert ids, "run: python -m conformance.ablation --write"
    chosen = [vector for vector in vectors() if vector.id in ids]

    assert tuple(vector.id for vector in chosen) == noticed_by(check, chosen)
    assert () == tuple(vector.id for vector in chosen if run_vector(vector).mark is not Mark.PASS)


def test_the_sweep_says_when_its_record_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On one vector only, so that nearly every check goes unnoticed: the command must say so and fail."""
    monkeypatch.setattr("conformance.ablation.FOLDER", tmp_path)
    monkeypatch.setattr(
        "conformance.ablation.read_folder", lambda: (replace(files()[0], vectors=files()[0].vectors[:1]),)
    )

    assert 1 == main([])
    told = capsys.readouterr().err
    assert "stale" in told
    assert "no vector notices" in told
    assert 1 == main(["--write"])
    assert (tmp_path / "ablation.json").exists()


# The runner: canaries, and the peers that a weak suite would pass.

PLAIN = Outcome(verdict="accept")
REFUSED = Outcome(verdict="reject", stage=Stage.PARSE, code=Code.TRAILING)


def vector(expect: Outcome, op: str = "unpack", received: bytes = b"\x90") -> Vector:
    return Vector(
        id="L0-900", name="canary", op=op, req=("ENV-001",), comment="C.", why="w", expect=expect, input=received
    )


@pytest.mark.parametrize(
    ("canary", "mark"),
    [
        (vector(PLAIN), Mark.PASS),
        (vector(REFUSED), Mark.FAIL),
        (vector(PLAIN, received=b"\x90\xc0"), Mark.FAIL),
        (vector(REFUSED, received=b"\x90\xc0"), Mark.PASS),
        (vector(replace(REFUSED, code=Code.TRUNCATED), received=b"\x90\xc0"), Mark.WARN),
        (vector(replace(REFUSED, stage=Stage.CANONICAL, code=Code.NOT_CANONICAL), received=b"\x90\xc0"), Mark.FAIL),
        (vector(PLAIN, op="levitate"), Mark.UNTESTABLE),
        (vector(PLAIN, op="open-inline"), Mark.CRASH),
    ],
)
def test_the_runner_marks_its_canaries(canary: Vector, mark: Mark) -> None:
    assert mark is run_vector(canary).mark


def test_another_plaintext_is_a_failure_and_so_is_one_after_a_refusal() -> None:
    accepted = by_name()["blob"]

    assert Mark.FAIL is compare(accepted, replace(accepted.expect, released="00")).mark
    assert Mark.FAIL is compare(vector(REFUSED), replace(REFUSED, released="00")).mark
    assert Mark.PASS is compare(vector(REFUSED), replace(REFUSED, released=runner.NOTHING_RELEASED)).mark


def _crash(_vector: Vector) -> Outcome:
    msg = "dead"
    raise RuntimeError(msg)


def _refuse_one(code: Code) -> Outcome:
    error = RemoteError(code, "no")
    return Outcome(verdict="reject", stage=error.stage, code=error.code)


@pytest.mark.parametrize(
    "peer",
    [
        lambda _vector: PLAIN,
        lambda _vector: _refuse_one(Code.BAD_SIG),
        _crash,
        lambda _vector: Outcome(verdict="not-for-me"),
    ],
    ids=["accepts all", "rejects all", "is dead", "is never meant"],
)
def test_a_peer_that_does_one_thing_only_fails_in_every_layer(peer: runner.Judge) -> None:
    """A suite of refusals alone would be passed by a program that is not there."""
    for file in files():
        assert any(finding.mark in {Mark.FAIL, Mark.CRASH} for finding in run([file], peer))


def test_every_operation_is_used() -> None:
    assert set(OPERATIONS) == {vector.op for vector in vectors()}


def test_the_command_tells_people_and_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == runner.main(["--only", "L5"])
    assert "L5" in capsys.readouterr().out
    assert 0 == runner.main(["--only", "salamander", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert {"PASS": 2, "WARN": 0, "FAIL": 0, "CRASH": 0, "UNTESTABLE": 0} == told["marks"]
    assert digest_of(FOLDER) == told["corpus"]
    assert 2 == runner.main(["--only", "nothing"])


def test_the_command_fails_with_a_line_that_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "OPERATIONS", {**OPERATIONS, "unpack": lambda _received, _context: PLAIN})

    assert 1 == runner.main(["--only", "trailing-nil"])
    told = capsys.readouterr().out
    assert "FAIL" in told
    assert "[ENV-005]" in told
    assert judge(by_name()["trailing-nil"]) == PLAIN


def test_files_that_are_none_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="no vectors"):
        read_folder(tmp_path)
    assert 2 == runner.main(["--folder", str(tmp_path)])
    assert "--write" in capsys.readouterr().err

    (tmp_path / "L0.json").write_text('{"schema": "other"}')
    with pytest.raises(InputError, match="schema"):
        read_file(tmp_path / "L0.json")
    row = by_name()["trailing-nil"].as_json() | {"expect": {"verdict": "reject"}}
    whole = {"schema": SCHEMA, "layer": "L0", "notes": {}, "fixtures": {}, "vectors": [row]}
    (tmp_path / "L0.json").write_text(json.dumps(whole))
    with pytest.raises(InputError, match="expects reject"):
        read_file(tmp_path / "L0.json")


def test_the_generator_says_which_file_is_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in FOLDER.glob("L*.json"):
        shutil.copy(path, tmp_path)
    (tmp_path / "L4.json").write_text((FOLDER / "L4.json").read_text().replace("alpha", "omega", 1))

    assert 1 == evil.main(["--folder", str(tmp_path)])
    assert "L4.json" in capsys.readouterr().err
    assert 0 == evil.main(["--write", "--folder", str(tmp_path)])
    assert 0 == evil.main(["--check", "--folder", str(tmp_path)])


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "L4.json", tmp_path / "L4.json")
    shutil.copy(FOLDER / "L4.json", tmp_path / "L4b.json")

    with pytest.raises(InputError, match="an id twice"):
        read_folder(tmp_path)
