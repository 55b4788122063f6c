"""The router decides: what it admits, and every refusal by stage and code."""

from typing import Any

import pytest

from broker.state import Admitted, Refused, Repeated
from conformance import world
from conformance.evil_book import Only, change, drop, envelope, flip, hooked, put, sealed
from conformance.memory import MemoryState
from schemas.errors import RemoteError
from schemas.limits import CLOCK_SKEW_MS_MAX
from sealing.primitives import digest, sign
from sealing.statements import read_verdict
from tests.samples.small_core import (
    NOW,
    after_alpha,
    answer_to,
    decide,
    recall,
    refused,
    router,
    verdict_of,
    with_agency,
)

DAY_MS = world.DAY_MS
ONE: dict[str, Any] = {"labels": (world.LABEL,), "readers": (("bravo", (0,)),)}


# What is accepted.


def test_an_honest_release_is_admitted_with_the_readers_and_bits_that_were_signed() -> None:
    message, made = sealed()

    decided = decide(made)

    assert isinstance(decided, Admitted)
    audience = (("bravo", message.bits(0, 1)), ("charlie", message.bits(0, 1, 2)))
    verdict = verdict_of(decided)
    assert ("accepted", None, audience) == (verdict.outcome, verdict.code, verdict.audience)
    assert ("N1",) == verdict.rules
    assert ((), 1, NOW) == (verdict.refusals, verdict.record, verdict.at)
    assert [("bravo", "charlie"), ("bravo", "charlie"), ("charlie",)] == [
        decision.permitted
        for position in range(3)
        for decision in decided.decisions
        if 1 << decision.place == message.bits(position)
    ]


def test_a_readers_row_goes_at_the_highest_precedence_among_its_own_portions() -> None:
    """Bravo's copy must not be hurried by a portion that bravo does not get: its speed would tell of it."""
    labels = (world.LABEL, world.LABEL._replace(precedence="PRIORITY"), world.HIGH._replace(precedence="FLASH"))

    decided = decide(envelope(labels=labels))

    assert isinstance(decided, Admitted)
    assert {"bravo": 1, "charlie": 3} == {row.wrap.to: row.precedence for row in decided.rows}


def test_a_recall_goes_out_as_immediate() -> None:
    decided = after_alpha(recall())

    assert isinstance(decided, Admitted)
    assert {2} == {row.precedence for row in decided.rows}


def test_the_same_release_gets_the_very_same_verdict_bytes() -> None:
    """An author that missed its verdict sends again; a second answer could contradict the first."""
    state = MemoryState()
    first = decide(envelope(), state=state)

    again = decide(envelope(), state=state, now=NOW + 60_000)

    assert isinstance(first, Admitted)
    assert Repeated(message=first.message) == again


def test_a_release_seen_before_is_not_told_to_somebody_who_cannot_prove_to_be_its_author() -> None:
    """RTR-004: the repeat is answered only after the signature has been checked."""
    forged = hooked(signature=flip())

    decided = after_alpha(forged)

    assert isinstance(decided, Refused)
    assert "BAD_SIG" == decided.code


def test_a_re_release_without_blobs_is_admitted_while_the_blobs_are_held() -> None:
    decided = after_alpha(envelope(readers=(("golf", (0,)),), with_blobs=False))

    assert isinstance(decided, Admitted)
    assert decided.re_release
    assert {None} == {portion.blob for portion in decided.portions}


def test_a_joint_report_may_wait_for_a_cosignature_and_tells_who_has_signed() -> None:
    decided = decide(envelope(by=("alpha", "golf", "charlie"), cosigners=("golf",)))

    assert isinstance(decided, Admitted)
    assert [True, False] == [signature is not None for signature in decided.cosignatures]


def test_a_cosignature_goes_back_to_the_lead() -> None:
    assert isinstance(answer_to("alpha"), Admitted)


def test_a_joint_report_that_nobody_has_signed_goes_to_nobody_but_the_named() -> None:
    decided = refused(envelope(by=("alpha", "golf"), readers=(("bravo", (0, 1)), ("golf", (0, 1)))))

    assert "AUDIENCE" == decided.code
    assert [("bravo", "NTK-UNSIGNED")] == [(item.reader, item.rule) for item in verdict_of(decided).refusals]


def test_an_envelope_at_the_edge_of_the_clock_skew_is_admitted() -> None:
    assert isinstance(decide(envelope(), now=NOW - CLOCK_SKEW_MS_MAX), Admitted)
    assert isinstance(decide(envelope(), now=NOW + DAY_MS), Admitted)


# What is refused, by stage and code.


@pytest.mark.parametrize(
    ("stage", "code", "made", "how"),
    [
        ("size", "TOO_BIG", lambda: bytes(256 * 1024 + 1), {}),
        ("parse", "TRUNCATED", lambda: envelope()[:-1], {}),
        ("parse", "TRAILING", lambda: envelope() + b"\xc0", {}),
        ("parse", "BAD_TYPE", lambda: b"\x80", {}),
        ("canonical", "NOT_CANONICAL", lambda: b"\xdc\x00\x07" + envelope()[1:], {}),
        ("version", "VERSION", lambda: hooked(header_fields=put(0, 2)), {}),
        ("limits", "SHAPE", lambda: hooked(envelope_fields=drop(6)), {}),
        ("limits", "LIMIT", lambda: hooked(header_fields=put(4, NOW)), {}),
        ("sender", "TOPIC_MISMATCH", envelope, {"sender": "bravo"}),
        ("key", "KEY_TIME", lambda: envelope(by=("hotel",), **ONE), {"sender": "hotel"}),
        ("key", "KEY_REVOKED", lambda: envelope(by=("foxtrot",), **ONE), {"sender": "foxtrot"}),
        ("key", "KEY_REVOKED", lambda: envelope(by=("echo",), **ONE), {"sender": "echo"}),
        ("key", "KEY_EPOCH", lambda: hooked(wrap=put(2, world.EPOCH + 1)), {}),
        ("signature", "BAD_SIG", lambda: hooked(signature=flip()), {}),
        ("signature", "BAD_COSIG", lambda: envelope(
            by=("alpha", "golf"), hooks={"cosignatures": lambda _: (bytes(64),)}), {}),
        ("signature", "WRAPS_HASH", lambda: hooked(wraps=flip(-1), wraps_hash=lambda _: digest(b"sw1 wraps", b"")), {}),
        ("signature", "DISCLOSURE", lambda: hooked(disclosed=change(0, lambda item: (item[0], flip(5)(item[1])))), {}),
        ("signature", "BLOB_HASH", lambda: hooked(blobs=change(0, flip(40))), {}),
        ("freshness", "FUTURE", envelope, {"now": NOW - CLOCK_SKEW_MS_MAX - 1}),
        ("freshness", "STALE", envelope, {"now": NOW + DAY_MS + 1}),
        ("freshness", "FUTURE", lambda: envelope(bv=world.BUNDLE_VERSION + 1), {}),
        ("policy", "REFERENCE", lambda: envelope(with_blobs=False), {}),
        ("policy", "REFERENCE", lambda: envelope(kind="recall", labels=(), readers=(("bravo", ()),)), {}),
        ("policy", "REFERENCE", lambda: envelope(labels=(world.LABEL._replace(topic="workflow.receipt"),),
                                                 readers=(("bravo", (0,)),)), {}),
        ("policy", "AUDIENCE", lambda: envelope(readers=(("delta", (0, 1, 2)),)), {}),
        ("policy", "AUDIENCE", lambda: hooked(wrap=Only(0, put(0, "zulu"))), {}),
    ],
)  # fmt: skip
def test_each_fault_is_refused_with_its_stage_and_code(stage: str, code: str, made: Any, how: dict[str, Any]) -> None:
    decided = refused(made(), **how)

    assert (stage, code) == (decided.stage, decided.code)


def test_an_author_the_bundle_does_not_name_is_refused_as_unknown() -> None:
    core = router()
    core.install(with_agency("alpha", agency="xray"))

    decided = core.admit(envelope(), sender="alpha", now_ms=NOW, state=MemoryState())

    assert isinstance(decided, Refused)
    assert ("sender", "UNKNOWN_SENDER") == (decided.stage, decided.code)


def test_a_portion_hidden_behind_a_decoy_is_refused() -> None:
    """A commitment that is neither disclosed nor a decoy is text that the router never saw a label of."""
    decided = refused(hooked(commitments=lambda listed: tuple(
        digest(b"sw1 portion", b"hidden") if commitment not in made_commitments() else commitment
        for commitment in listed
    )))  # fmt: skip

    assert ("signature", "DISCLOSURE") == (decided.stage, decided.code)


def made_commitments() -> set[bytes]:
    return {portion.commitment for portion in sealed()[0].portions}


def test_a_bit_on_a_place_that_is_not_disclosed_is_refused() -> None:
    message, _ = sealed()
    decoy_bit = 0b1111 & ~message.bits(0, 1, 2)

    decided = refused(hooked(wrap=change(3, lambda bits: bits | decoy_bit)))

    assert ("signature", "DISCLOSURE") == (decided.stage, decided.code)


# The verdict.


def test_the_router_signs_what_it_decides_and_nobody_else_can() -> None:
    decided = decide(envelope())
    assert isinstance(decided, Admitted)
    forged = decided.message._replace(
        signature=sign(world.sign_pair("alpha").secret, b"sw1 verdict\0", decided.message.statement)
    )

    with pytest.raises(RemoteError) as caught:
        read_verdict(forged, bundle=world.BUNDLE, now_ms=NOW)

    assert "BAD_SIG" == caught.value.code
