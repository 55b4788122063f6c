"""The router's log: numbers, hashes and a restart, and a signer that signs no two histories."""

from collections.abc import Callable
from typing import Final

import pytest

from broker.audit.checkpoint import CheckpointSigner, Signing
from broker.audit.leaves import CancelledLeaf, DeliveredLeaf, open_entry
from broker.audit.log import LeafRow, Log, hash_in_row
from schemas.errors import LogError, LogFault
from sealing.keys import sign_pair_from_seed
from sealing.merkle import Frontier, consistency_proof, inclusion_proof, leaf_hash, row_of, tree_root, verify_inclusion
from sealing.notes import TYPE_ED25519, Note, NoteKey, log_origin, read_checkpoint, verify_note

SECRET: Final = b"s" * 32
ROUTER = sign_pair_from_seed(b"r" * 32)
KEY = NoteKey(name=log_origin("router"), kind=TYPE_ED25519, public=ROUTER.public)
NOW = 1_700_000_000_000


def delivered(number: int) -> DeliveredLeaf:
    return DeliveredLeaf("delivered", NOW + number, number.to_bytes(32, "big"), "sgp-cert", number)


def grown(count: int) -> tuple[Log, list[LeafRow]]:
    log = Log(secret=SECRET, frontier=Frontier())
    return log, [log.append(delivered(number)) for number in range(count)]


def nodes_of(rows: list[LeafRow]) -> Callable[[int, int], bytes]:
    return lambda level, index: hash_in_row(rows[row_of(level, index)].hashes, level)


def sign(signer: CheckpointSigner, rows: list[LeafRow]) -> Note:
    size = len(rows)
    proof = consistency_proof(signer.signed.size, size, nodes_of(rows)) if signer.signed.size <= size else ()
    return signer.sign(size=size, root=tree_root(size, nodes_of(rows)), proof=proof)


def fresh_signer() -> CheckpointSigner:
    return CheckpointSigner(router="router", signer=ROUTER)


def test_every_leaf_is_included_and_opens() -> None:
    log, rows = grown(77)
    for row in rows:
        entry, key = log.entry(row)

        assert delivered(row.number) == open_entry(entry, number=row.number, statement=row.statement, key=key)
        verify_inclusion(
            leaf=leaf_hash(entry),
            number=row.number,
            size=77,
            proof=inclusion_proof(row.number, 77, nodes_of(rows)),
            root=log.root(),
        )
    assert [row.number for row in rows] == list(range(77))


def test_a_log_goes_on_after_a_restart_as_if_there_had_been_none() -> None:
    whole, rows = grown(50)
    again = Log(secret=SECRET, frontier=Frontier.restore(33, nodes_of(rows)))

    assert rows[33:] == [again.append(delivered(number)) for number in range(33, 50)]
    assert (whole.size, whole.root()) == (again.size, again.root())


def test_a_log_signs_as_it_grows() -> None:
    _, rows = grown(300)
    signer = fresh_signer()
    for size in (0, 1, 2, 64, 65, 299, 300, 300):
        note = sign(signer, rows[:size])

        assert {KEY.name: None} == verify_note(note, [KEY])
        assert (KEY.name, size, tree_root(size, nodes_of(rows))) == read_checkpoint(note.text)


@pytest.mark.parametrize("size", [9, 10, 14])
def test_a_log_that_was_written_anew_is_fenced(size: int) -> None:
    _, rows = grown(10)
    signer = fresh_signer()
    sign(signer, rows)
    evil = Log(secret=SECRET, frontier=Frontier())
    rewritten = [
        evil.append(delivered(number) if number != 4 else CancelledLeaf("cancelled", NOW, bytes(32), "sgp-cert"))
        for number in range(size)
    ]
    with pytest.raises(LogError) as caught:
        sign(signer, rewritten)

    assert (LogFault.ROLLBACK if size < 10 else LogFault.FORK) == caught.value.fault
    assert Signing.FENCED is signer.state
    # Not even the true tree: a person has to look first.
    with pytest.raises(LogError):
        sign(signer, rows)
    assert not signer.may_sign()


def test_an_old_copy_of_the_disk_is_found_out_by_whoever_holds_a_newer_checkpoint() -> None:
    _, rows = grown(20)
    first = fresh_signer()
    old = read_checkpoint(sign(first, rows[:10]).text)
    newest = sign(first, rows)
    restored = CheckpointSigner(router="router", signer=ROUTER, signed=old)
    with pytest.raises(LogError) as caught:
        restored.meet(newest)

    assert LogFault.ROLLBACK == caught.value.fault
    assert Signing.FENCED is restored.state


def test_a_checkpoint_that_we_know_changes_nothing_and_a_forged_one_neither() -> None:
    _, rows = grown(20)
    signer = fresh_signer()
    older = sign(signer, rows[:10])
    newest = sign(signer, rows)
    signer.meet(older)
    signer.meet(newest)
    stranger = CheckpointSigner(router="router", signer=sign_pair_from_seed(b"x" * 32))
    with pytest.raises(LogError) as caught:
        signer.meet(sign(stranger, grown(99)[1]))

    assert LogFault.SIGNATURE == caught.value.fault
    assert Signing.OPEN is signer.state


def test_two_trees_of_one_size_under_our_key_fence_the_log() -> None:
    """The key is used twice: by a second router, or by a thief."""
    _, rows = grown(5)
    signer, twin = fresh_signer(), fresh_signer()
    sign(signer, rows)
    evil = Log(secret=b"t" * 32, frontier=Frontier())
    note = sign(twin, [evil.append(delivered(number)) for number in range(5)])
    with pytest.raises(LogError) as caught:
        signer.meet(note)

    assert LogFault.SPLIT_VIEW == caught.value.fault
    assert Signing.FENCED is signer.state
