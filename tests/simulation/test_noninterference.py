"""Non-interference: nobody notices a secret, and whoever plants a leak is found out with the place of it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.router import Arrival, Outcome
from console.cli import main
from scenarios.catalogue import find_pack
from scenarios.model import Pack
from scenarios.noninterference import Candidate, Trial, find_candidates, try_secret
from scenarios.noninterference_desk import Secret
from scenarios.noninterference_difference import Difference, first_difference
from scenarios.noninterference_sight import Seen, Sight
from scenarios.noninterference_world import Plant, Watching
from scenarios.pack import load_pack
from scenarios.region import Region
from schemas.errors import InputError
from schemas.frames import Hail

TAKEN_BACK = Path(__file__).parents[1] / "packs" / "taken-back.yaml"


@pytest.fixture(scope="module")
def small() -> Pack:
    return load_pack(TAKEN_BACK)


@pytest.fixture(scope="module")
def secret(small: Pack, tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    """The report of mys-mar, with the request, grant, product and recall that come of it; phl-mar hears of none."""
    watching = Watching(folder=tmp_path_factory.mktemp("survey"))
    (found,) = find_candidates(small, watching=watching, named=[Secret(order="S1")])
    return found


@pytest.fixture(scope="module")
def strait(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trial]:
    pack = load_pack(find_pack("strait-lantern"))
    watching = Watching(folder=tmp_path_factory.mktemp("strait"))
    candidates = {item.secret.name: item for item in find_candidates(pack, watching=watching)}
    assert len(candidates) > 15
    return lambda order: try_secret(pack, candidates[order], observers=(), watching=watching)


def told(trial: Trial) -> dict[str, Difference]:
    return {name: difference for name, difference in trial.differences.items() if difference is not None}


def test_a_controlled_track_changes_nothing_for_six_who_are_not_cleared(strait: Callable[[str], Trial]) -> None:
    """NTK-066: the track of strait-lantern is sealed for two; nobody else sees a byte of a difference."""
    trial = strait("S03")

    assert {} == told(trial)
    assert {"in-ship", "rb-ifc", "rb-recaap", "rb-msp", "tha-mar", "dp-jpn-mar"} == trial.differences.keys()
    for without, with_secret in trial.sights.values():
        assert [seen.word for seen in without.link].count("frame down") > 3
        assert without.tables["journal"] == with_secret.tables["journal"] != []
        assert any(name.endswith(".jsonl") for name in with_secret.files)


def test_what_is_granted_of_a_secret_stays_as_secret(strait: Callable[[str], Trial]) -> None:
    """EXCON branches on the consent, and does in both worlds what it would do if there were no such report."""
    trial = strait("S04")

    assert {} == told(trial)
    assert trial.hidden > 1


def test_a_secret_with_all_that_comes_of_it_is_not_noticed(small: Pack, secret: Candidate, tmp_path: Path) -> None:
    trial = try_secret(small, secret, observers=["phl-mar"], watching=Watching(folder=tmp_path))

    assert {} == told(trial)
    assert trial.hidden > 5
    # By the rules it might have been told, so nobody is uncleared; it was not, and that is enough to hide from it.
    assert (("phl-mar",), ()) == (secret.untold, secret.uncleared)


# Leaks that are planted: each is found, with its kind and its place.


def _after_each_batch(region: Region, follow: Callable[[Outcome], None]) -> None:
    router = region.broker._router
    handle = router.handle

    def leaky(arrivals: list[Arrival], *, now_ms: int) -> Outcome:
        outcome = handle(arrivals, now_ms=now_ms)
        follow(outcome)
        return outcome

    router.handle = leaky  # type: ignore[method-assign, assignment] # a leak is planted


def extra_message(region: Region) -> None:
    """Whoever is linked is hailed when anybody's report is accepted."""

    def follow(outcome: Outcome) -> None:
        if any(author == "mys-mar" for author, _, _ in outcome.decided):
            outcome.send("phl-mar", Hail("hail"))

    _after_each_batch(region, follow)


def visible_refusal(region: Region) -> None:
    """What an author may send is what all have left of one quota."""
    router = region.broker._router
    over_quota, held = router._over_quota, region.store.log
    assert held is not None
    router._over_quota = lambda admitted: held.log.size > 12 or over_quota(admitted)  # type: ignore[method-assign] # a leak


def shared_counter(region: Region) -> None:
    """Verdicts bear the number of the record, of which there is one count for all authors."""
    store = region.store

    def next_record(author: str) -> int:
        del author
        return store._next_record

    store.next_decision = next_record  # type: ignore[method-assign] # a leak is planted


def size_by_hidden_portions(region: Region) -> None:
    """A checkpoint is over as many covers as there are leaves, so it grows by what it should not tell of."""
    log = region.store.log
    assert log is not None
    sign = log.sign

    def sign_for_leaves(*, now_ms: int, covers: int = 1) -> None:
        sign(now_ms=now_ms, covers=covers + log.log.size)

    log.sign = sign_for_leaves  # type: ignore[method-assign] # a leak is planted


@pytest.mark.parametrize(
    ("plant", "kinds"),
    [
        (extra_message, {"count"}),
        (visible_refusal, {"count", "error"}),
        (shared_counter, {"bytes", "size"}),
        (size_by_hidden_portions, {"bytes", "size"}),
    ],
)
def test_a_planted_leak_is_found(small: Pack, secret: Candidate, tmp_path: Path, plant: Plant, kinds: set[str]) -> None:
    watching = Watching(folder=tmp_path, plant=plant)
    trial = try_secret(small, secret, observers=["phl-mar"], watching=watching)

    assert not trial.holds
    found = told(trial)["phl-mar"]
    assert ("link", True) == (found.where, found.kind in kinds), found
    assert found.at_ms is not None


# Differences, thing by thing.

BEFORE = Sight("tha-mar", [Seen(5, "frame down", "sw/1/tha-mar/down", b"abcdef", "delivery")])


@pytest.mark.parametrize(
    ("after", "kind", "offset"),
    [
        (Seen(6, "frame down", "sw/1/tha-mar/down", b"abcdef", "delivery"), "time", None),
        (Seen(5, "frame down", "sw/1/tha-mar/down", b"abcXef", "delivery"), "bytes", 3),
        (Seen(5, "frame down", "sw/1/tha-mar/down", b"abcdefg", "delivery"), "size", 6),
        (Seen(5, "frame down", "sw/1/idn-mar/down", b"abcdef", "delivery"), "topic", None),
        (Seen(5, "frame down", "sw/1/tha-mar/down", b"abcdef", "verdict"), "count", None),
        (Seen(5, "frame refused", "sw/1/tha-mar/down", b"", "0x97"), "error", None),
    ],
)
def test_a_difference_says_what_kind_it_is_and_where_it_begins(after: Seen, kind: str, offset: int | None) -> None:
    found = first_difference(BEFORE, Sight("tha-mar", [after]))

    assert found is not None
    assert (kind, offset, 1) == (found.kind, found.offset, found.place)


def test_tables_files_and_log_lines_are_compared_too() -> None:
    for name, after in (
        ("table inbox", Sight("tha-mar", BEFORE.link, tables={"inbox": [b"row"]})),
        ("file log/journals/tha-mar.jsonl", Sight("tha-mar", BEFORE.link, files={"log/journals/tha-mar.jsonl": b""})),
        ("log", Sight("tha-mar", BEFORE.link, log=["link.down"])),
    ):
        found = first_difference(BEFORE, after)

        assert found is not None
        assert (name, "count") == (found.where, found.kind)
    assert first_difference(BEFORE, BEFORE) is None


# The command.


def test_the_command_says_that_nobody_could_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["noninterference", str(TAKEN_BACK), "--report", "S6", "--observer", "idn-mar"]

    assert 0 == main([*words, "--json", "--out", str(tmp_path / "sights")])
    (trial,) = json.loads(capsys.readouterr().out)["trials"]
    assert (True, "phl-mar", True) == (trial["holds"], trial["originator"], trial["observers"]["idn-mar"]["equal"])
    one, other = (tmp_path / "sights" / "S6" / f"idn-mar.{world}.txt" for world in ("without", "with"))
    assert one.read_text() == other.read_text() != ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no report of which an agency may know nothing"),
        (["--report", "S99"], "no standing order 'S99'"),
        (["--secret", "E99"], "no inject 'E99'"),
        (["--observer", "nobody"], "no agency nobody"),
        (["--report", "S1", "--observer", "rb-ifc"], "rb-ifc is told of S1"),
    ],
)
def test_what_cannot_be_tried_says_why(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 3 == main(["noninterference", str(TAKEN_BACK), *words])
    assert says in capsys.readouterr().err


def test_an_observer_that_is_told_is_refused(small: Pack, secret: Candidate, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is nothing to hide"):
        try_secret(small, secret, observers=["rb-ifc"], watching=Watching(folder=tmp_path))
