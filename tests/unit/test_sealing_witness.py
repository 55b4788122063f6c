"""Witnesses against evil logs: rollback, split view, fork, freeze, and a log that only grows."""

import pytest

from schemas.errors import LogError, LogFault
from schemas.limits import CHECKPOINT_BYTES_MAX
from sealing.keys import sign_pair_from_seed
from sealing.notes import (
    TYPE_COSIGNATURE,
    TYPE_ED25519,
    Checkpoint,
    NoteKey,
    log_origin,
    read_note,
    sign_checkpoint,
    verify_signature,
    witness_name,
)
from sealing.witness import (
    CHECKPOINT_DEADLINE_MS,
    Witnessed,
    begin,
    check_fresh,
    check_met,
    cosign_checkpoint,
    expect_growth,
    read_shown,
    witness,
)
from tests.samples.evil_log import EVIL_ROUTER, EvilLog

ORIGIN = log_origin("router")
AGENCY = sign_pair_from_seed(b"a" * 32)
KEYS = (NoteKey(name=ORIGIN, kind=TYPE_ED25519, public=EVIL_ROUTER.public),)
NOW = 1_700_000_000_000


def compare(theirs: bytes, ours: bytes, *, old_size: int, proof: tuple[bytes, ...] = ()) -> int | None:
    """Lay two notes side by side; returns the size of the first, or None if nothing can be said."""
    shown = [read_shown(note, keys=KEYS) for note in (theirs, ours)]
    same = check_met(shown[0], shown[1], old_size=old_size, proof=proof, evidence=(theirs, ours))
    return None if same is None else same.size


def show(held: Witnessed, log: EvilLog, *, now_ms: int = NOW) -> Witnessed:
    old_size = held.checkpoint.size
    proof = log.proof(old_size) if old_size <= log.frontier.size else ()
    seen = witness(held, log.note().packed(), old_size=old_size, proof=proof, keys=KEYS, now_ms=now_ms)
    assert seen is not None
    return seen[0]


def fault_of(held: Witnessed, log: EvilLog) -> LogError:
    with pytest.raises(LogError) as caught:
        show(held, log)
    return caught.value


def test_a_log_that_only_grows_is_followed_and_cosigned() -> None:
    log, held = EvilLog(), begin(ORIGIN, now_ms=NOW)
    for size in range(20):
        held = show(held, log.append(*(f"{size}-{place}" for place in range(size))), now_ms=NOW + size)

        assert (log.frontier.size, log.frontier.root()) == held.checkpoint[1:]
        assert log.note().packed() == held.note
        assert NOW + size == held.seen_at
    line = cosign_checkpoint(read_note(held.note), name=witness_name("mys-cert"), signer=AGENCY, now_ms=NOW)
    key = NoteKey(name=witness_name("mys-cert"), kind=TYPE_COSIGNATURE, public=AGENCY.public)
    assert NOW // 1000 == verify_signature(log.note().text, line, key=key)


def test_a_log_that_goes_back_is_named_a_rollback() -> None:
    held = show(begin(ORIGIN, now_ms=NOW), EvilLog("a", "b", "c"))
    error = fault_of(held, EvilLog("a", "b"))

    assert LogFault.ROLLBACK == error.fault
    assert (held.note, EvilLog("a", "b").note().packed()) == error.evidence


def test_two_trees_of_one_size_are_named_a_split_view() -> None:
    held = show(begin(ORIGIN, now_ms=NOW), EvilLog("a", "b", "c"))
    error = fault_of(held, EvilLog("a", "x", "c"))

    assert LogFault.SPLIT_VIEW == error.fault
    mine, theirs = error.evidence
    assert 3 == compare(mine, mine, old_size=3)
    with pytest.raises(LogError) as caught:
        compare(mine, theirs, old_size=3)
    assert LogFault.SPLIT_VIEW == caught.value.fault
    assert (mine, theirs) == caught.value.evidence


@pytest.mark.parametrize(
    ("name", "rewritten"),
    [
        ("a leaf changed", ("a", "x", "c", "d", "e")),
        ("a leaf dropped", ("a", "c", "d", "e", "f")),
        ("two leaves reordered", ("b", "a", "c", "d", "e")),
        ("a leaf put in before", ("z", "a", "b", "c", "d")),
    ],
)
def test_a_log_that_was_written_anew_is_named_a_fork(name: str, rewritten: tuple[str, ...]) -> None:
    held = show(begin(ORIGIN, now_ms=NOW), EvilLog("a", "b", "c"))
    error = fault_of(held, EvilLog(*rewritten))

    assert LogFault.FORK == error.fault
    assert 2 == len(error.evidence)


def test_two_agencies_that_were_shown_two_logs_can_prove_it() -> None:
    """Each log is consistent in itself, so neither witness alone can tell; their checkpoints together can."""
    ours, theirs = EvilLog("a", "b"), EvilLog("a", "hidden")
    mine = show(show(begin(ORIGIN, now_ms=NOW), ours), ours.append("c"))
    other = show(show(begin(ORIGIN, now_ms=NOW), theirs), theirs.append("c"))

    with pytest.raises(LogError) as caught:
        compare(other.note, mine.note, old_size=3)
    assert LogFault.SPLIT_VIEW == caught.value.fault
    # Nor is there a proof from the one to what the other grows into, whatever the log offers.
    for proof in (ours.append("d").proof(3), (), (b"x" * 32,)):
        with pytest.raises(LogError) as caught:
            compare(other.note, ours.note().packed(), old_size=3, proof=proof)
        assert LogFault.FORK == caught.value.fault
        assert (other.note, ours.note().packed()) == caught.value.evidence
    # Whoever was shown the one cannot be led to the other either.
    assert LogFault.FORK == fault_of(mine, theirs.append("d")).fault


def test_two_agencies_that_were_shown_one_log_at_different_times_prove_that_too() -> None:
    log = EvilLog("a", "b", "c")
    early = log.note().packed()
    late = log.append("d", "e").note().packed()

    assert 3 == compare(early, late, old_size=3, proof=log.proof(3))
    assert None is compare(early, late, old_size=2, proof=log.proof(2))  # not the proof that is wanted
    assert None is compare(late, early, old_size=3, proof=log.proof(3))  # it may show more later


def test_a_met_note_counts_only_if_the_log_has_signed_it() -> None:
    """Otherwise one agency could make another accuse the router."""
    strange = Checkpoint(log_origin("other"), 2, b"x" * 32)
    for forged, fault in (
        (sign_checkpoint(Checkpoint(ORIGIN, 2, b"x" * 32), signer=AGENCY).packed(), LogFault.SIGNATURE),
        (sign_checkpoint(strange, signer=EVIL_ROUTER).packed(), LogFault.SIGNATURE),
        (b"no note", LogFault.MALFORMED),
    ):
        with pytest.raises(LogError) as caught:
            read_shown(forged, keys=KEYS)
        assert fault == caught.value.fault
        assert () == caught.value.evidence


def test_a_proof_from_another_size_is_no_fault_and_no_cosignature() -> None:
    """The log may have lost what it knew of a witness: it is told the size and tries again."""
    log = EvilLog("a", "b", "c")
    held = show(begin(ORIGIN, now_ms=NOW), log)
    log.append("d", "e")

    assert None is witness(held, log.note().packed(), old_size=2, proof=log.proof(2), keys=KEYS, now_ms=NOW)


def test_the_same_checkpoint_may_be_shown_again() -> None:
    log = EvilLog("a", "b", "c")
    held = show(begin(ORIGIN, now_ms=NOW), log)

    assert NOW + 9 == show(held, log, now_ms=NOW + 9).seen_at


def test_nothing_counts_before_a_signature_has_verified() -> None:
    log = EvilLog("a", "b", "c")
    held = show(begin(ORIGIN, now_ms=NOW), log)
    forged = sign_checkpoint(Checkpoint(ORIGIN, 1, b"x" * 32), signer=AGENCY)
    with pytest.raises(LogError) as caught:
        witness(held, forged.packed(), old_size=3, proof=(), keys=KEYS, now_ms=NOW)

    assert LogFault.SIGNATURE == caught.value.fault
    assert () == caught.value.evidence


def test_a_checkpoint_of_another_log_is_not_taken_for_this_one() -> None:
    other = log_origin("router-b")
    note = sign_checkpoint(Checkpoint(other, 9, b"x" * 32), signer=EVIL_ROUTER)
    keys = (*KEYS, NoteKey(name=other, kind=TYPE_ED25519, public=EVIL_ROUTER.public))
    with pytest.raises(LogError) as caught:
        witness(begin(ORIGIN, now_ms=NOW), note.packed(), old_size=0, proof=(), keys=keys, now_ms=NOW)

    assert LogFault.UNKNOWN_LOG == caught.value.fault


def test_a_checkpoint_has_a_bound() -> None:
    note = EvilLog("a").note()
    padded = note.packed() + note.signatures[0].line() * (CHECKPOINT_BYTES_MAX // 100)
    with pytest.raises(LogError) as caught:
        witness(begin(ORIGIN, now_ms=NOW), padded, old_size=0, proof=(), keys=KEYS, now_ms=NOW)

    assert LogFault.MALFORMED == caught.value.fault


def test_a_log_that_promises_and_does_not_show_is_named_frozen() -> None:
    log = EvilLog("a", "b")
    held = expect_growth(show(begin(ORIGIN, now_ms=NOW), log), now_ms=NOW)
    check_fresh(held, now_ms=NOW + CHECKPOINT_DEADLINE_MS)
    with pytest.raises(LogError) as caught:
        check_fresh(held, now_ms=NOW + CHECKPOINT_DEADLINE_MS + 1)

    assert LogFault.FREEZE == caught.value.fault
    assert (held.note,) == caught.value.evidence


def test_the_same_tree_again_keeps_no_promise_and_a_larger_one_does() -> None:
    log = EvilLog("a", "b")
    held = expect_growth(show(begin(ORIGIN, now_ms=NOW), log), now_ms=NOW)
    late = NOW + CHECKPOINT_DEADLINE_MS + 1
    frozen = show(expect_growth(held, now_ms=NOW + 5), log, now_ms=late)
    with pytest.raises(LogError):
        check_fresh(frozen, now_ms=late)

    check_fresh(show(frozen, log.append("c"), now_ms=late), now_ms=late + CHECKPOINT_DEADLINE_MS * 9)
