"""The router decides: every refusal by stage and code, and what each answer tells to whom."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core import Identity, RouterCore
from broker.state import Admitted, Decided, Refused, Repeated
from conformance import world
from conformance.evil_book import Only, at, change, drop, envelope, flip, hooked, put, sealed
from conformance.memory import MemoryState
from policy.community import Community
from schemas.bundle import Agency, SignKey
from schemas.errors import InputError, RemoteError
from schemas.frames import Announcement, RouterVerdict
from schemas.label import Label
from schemas.limits import CLOCK_SKEW_MS_MAX
from sealing.directory import announce
from sealing.primitives import digest, sign
from sealing.statements import read_verdict

NOW = world.NOW
DAY_MS = world.DAY_MS
ONE: dict[str, Any] = {"labels": (world.LABEL,), "readers": (("bravo", (0,)),)}


def router() -> RouterCore:
    core = RouterCore(identity=Identity(router=world.ROUTER, signer=world.sign_pair(world.ROUTER)), bundle=world.BUNDLE)
    for announcement in world.announcements():
        core.boxes.readmit(announcement, signers=core.signers)
    return core


def decide(
    made: bytes,
    *,
    sender: str = "alpha",
    now: int = NOW,
    state: MemoryState | None = None,
    core: RouterCore | None = None,
) -> Decided:
    """Hand the router an envelope, and have its memory keep what it admits."""
    state = state or MemoryState()
    decided = (core or router()).admit(made, sender=sender, now_ms=now, state=state)
    if isinstance(decided, Admitted):
        state.keep(decided)
    return decided


def refused(made: bytes, **how: Any) -> Refused:
    decided = decide(made, **how)
    assert isinstance(decided, Refused)
    return decided


def verdict_of(decided: Refused | Admitted) -> RouterVerdict:
    """Return the verdict that the author gets, proved by the router's signature."""
    assert decided.message is not None
    return read_verdict(decided.message, bundle=world.BUNDLE, now_ms=NOW)


def after_alpha(made: bytes, *, sender: str = "alpha", now: int = NOW) -> Decided:
    """Decide on something after an honest report of alpha's to bravo and charlie."""
    state = MemoryState()
    assert isinstance(decide(envelope(), state=state), Admitted)
    return decide(made, sender=sender, now=now, state=state)


def first_hid() -> bytes:
    return sealed()[0].hid


def recall(**changes: Any) -> bytes:
    readers = (("bravo", ()), ("charlie", ()))
    return envelope(
        **{"name": "recall", "kind": "recall", "ref": first_hid(), "labels": (), "readers": readers, **changes}
    )


def with_agency(name: str, **changes: Any) -> Any:
    agencies = tuple(item._replace(**changes) if item.agency == name else item for item in world.BUNDLE.agencies)
    return world.BUNDLE._replace(agencies=agencies)


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


def answer_to(reader: str) -> Decided:
    """Have golf, whom alpha asks to co-sign, answer with the topic of co-signatures."""
    joint, shown = sealed(by=("alpha", "golf"), labels=(world.LABEL,), readers=(("golf", (0,)),))
    label = world.LABEL._replace(topic="workflow.cosign")
    made = envelope(name="c", kind="cosign", by=("golf",), ref=joint.hid, labels=(label,), readers=((reader, (0,)),))
    state = MemoryState()
    assert isinstance(decide(shown, state=state), Admitted)
    return decide(made, sender="golf", state=state)


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


# Over-wide wraps.


def test_an_over_wide_wrap_is_refused_whole_and_the_verdict_names_portion_reader_rule_and_reason() -> None:
    message, made = sealed(readers=(("bravo", (0, 1, 2)), ("charlie", (0, 1, 2))))

    verdict = verdict_of(refused(made))

    assert ("refused", "AUDIENCE", ()) == (verdict.outcome, verdict.code, verdict.audience)
    (refusal,) = verdict.refusals
    assert (message.portions[2].place, "bravo", "NTK-CLEARANCE") == (refusal.place, refusal.reader, refusal.rule)
    assert "EX-SECRET" in refusal.reason
    assert ("NTK-CLEARANCE",) == verdict.rules


def test_every_over_wide_bit_is_named_up_to_a_bound() -> None:
    """One refusal for each reader and portion, so that the author can mend its draft at once."""
    labels = (world.HIGH,) * 32

    verdict = verdict_of(refused(envelope(labels=labels, readers=tuple(
        (reader, tuple(range(32))) for reader in ("bravo", "delta", "golf")
    ))))  # fmt: skip

    assert 64 == len(verdict.refusals)


@pytest.mark.parametrize("reader", ["zulu", "echo"])
def test_an_unknown_and_an_inactive_reader_get_the_same_refusal(reader: str) -> None:
    verdict = verdict_of(refused(hooked(wrap=Only(0, put(0, reader)))))

    assert [(0, reader, "NTK-READER", "unknown or not active")] == [tuple(item) for item in verdict.refusals]


def test_a_wrap_without_portions_is_refused() -> None:
    """RTR-040: it would tell its reader that a message exists of which it may have nothing."""
    decided = refused(envelope(readers=(("bravo", (0,)), ("golf", ()))))

    assert "AUDIENCE" == decided.code
    assert [("golf", "NTK-EMPTY")] == [(item.reader, item.rule) for item in verdict_of(decided).refusals]


def test_a_cosignature_goes_to_nobody_but_the_lead() -> None:
    decided = answer_to("bravo")

    assert isinstance(decided, Refused)
    assert decided.verdict is not None
    assert [("bravo", "NTK-COSIGN")] == [(item.reader, item.rule) for item in decided.verdict.refusals]


def test_a_verdict_names_no_refusals_to_a_sender_that_has_not_proved_to_be_the_author() -> None:
    """WIRE-035: whoever borrows a signature learns nothing of the policy from the answer."""
    made = envelope(readers=(("bravo", (0, 1, 2)),), hooks={"signature": flip()})

    assert () == verdict_of(refused(made)).refusals


def test_bytes_in_which_no_envelope_can_be_read_get_no_verdict() -> None:
    decided = refused(envelope()[:-1])

    assert (None, None, None) == (decided.hid, decided.verdict, decided.message)


def test_policy_is_asked_as_of_now_and_not_as_of_the_sealing() -> None:
    """A membership or embargo may have changed while the report was under way."""
    label = world.LABEL._replace(not_before=NOW + 1_000)
    made = envelope(labels=(label,), readers=(("bravo", (0,)),))

    assert "AUDIENCE" == refused(made).code
    assert isinstance(decide(made, now=NOW + 1_000), Admitted)


def test_an_epoch_that_is_over_is_refused() -> None:
    """Epoch 6 still opens in its overlap; a week later it does not."""
    old = hooked(wrap=put(2, world.EPOCH - 1))

    assert isinstance(decide(old), Admitted)
    assert "KEY_EPOCH" == refused(old, now=NOW + DAY_MS).code


# Corrections, recalls, re-releases.


def answer(decided: Decided) -> tuple[Any, ...]:
    assert isinstance(decided, Refused)
    verdict = verdict_of(decided)
    return decided.stage, decided.code, verdict.outcome, verdict.code, verdict.rules, verdict.refusals


@pytest.mark.parametrize("kind", ["report", "recall"])
def test_a_reference_to_anothers_message_gets_the_answer_of_an_unknown_one(kind: str) -> None:
    """RTR-011: else anybody could ask the router whether a message exists."""
    labels, readers = ((world.LABEL,), (("bravo", (0,)),)) if kind == "report" else ((), (("bravo", ()),))
    common: dict[str, Any] = {"kind": kind, "by": ("charlie",), "labels": labels, "readers": readers, "name": "other"}

    not_yours = after_alpha(envelope(**common, ref=first_hid()), sender="charlie")
    unknown = after_alpha(envelope(**common, ref=bytes(32)), sender="charlie")

    assert answer(unknown) == answer(not_yours)
    assert "REFERENCE" == answer(unknown)[1]


def test_a_correction_by_the_originator_is_admitted() -> None:
    assert isinstance(after_alpha(envelope(name="correction", ref=first_hid(), **ONE)), Admitted)


def test_a_recall_to_a_stranger_is_refused() -> None:
    """It would learn from the recall that the report existed."""
    decided = after_alpha(recall(readers=(("bravo", ()), ("golf", ()))))

    assert isinstance(decided, Refused)
    assert [("golf", "NTK-RECALL")] == [(item.reader, item.rule) for item in verdict_of(decided).refusals]


def test_a_recall_carries_no_portion() -> None:
    decided = after_alpha(recall(labels=(world.LABEL,), readers=(("bravo", (0,)),)))

    assert isinstance(decided, Refused)
    assert "AUDIENCE" == decided.code


@pytest.mark.parametrize("with_blobs", [True, False])
def test_a_recalled_message_is_released_no_more(with_blobs: bool) -> None:  # noqa: FBT001 - pytest hands it in by name
    state = MemoryState()
    assert isinstance(decide(envelope(), state=state), Admitted)
    assert isinstance(decide(recall(), state=state), Admitted)

    decided = decide(envelope(readers=(("golf", (0,)),), with_blobs=with_blobs), state=state)

    assert isinstance(decided, Refused)
    assert ("release", "RECALLED") == (decided.stage, decided.code)


def test_a_re_release_is_judged_anew() -> None:
    decided = after_alpha(envelope(readers=(("golf", (2,)),), with_blobs=False))

    assert isinstance(decided, Refused)
    assert "AUDIENCE" == decided.code


# Box keys.


def test_a_box_key_is_announced_by_its_owner_alone() -> None:
    core = router()
    announcement = announce(world.box_pair("bravo", 8), agency="bravo", signer=world.sign_pair("bravo"))

    with pytest.raises(RemoteError, match="alpha announces a key of bravo") as caught:
        core.announce(announcement, sender="alpha", now_ms=NOW)

    assert "TOPIC_MISMATCH" == caught.value.code
    with pytest.raises(RemoteError):
        core.boxes.at_epoch("bravo", 8, now_ms=NOW + 7 * DAY_MS)


def test_an_announcement_under_another_agencys_sign_key_is_refused() -> None:
    forged = announce(world.box_pair("bravo", 8), agency="bravo", signer=world.sign_pair("alpha"))

    with pytest.raises(RemoteError) as caught:
        router().announce(forged, sender="bravo", now_ms=NOW)

    assert "BAD_SIG" == caught.value.code


def test_a_second_key_for_one_epoch_is_refused() -> None:
    other = replace(world.box_pair("charlie"), epoch=world.EPOCH)
    announcement = announce(other, agency="bravo", signer=world.sign_pair("bravo"))

    with pytest.raises(RemoteError) as caught:
        router().announce(announcement, sender="bravo", now_ms=NOW)

    assert "ROLLBACK" == caught.value.code


def test_an_announcement_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(RemoteError) as caught:
        router().announce(Announcement("announce", b"\xc1", bytes(64)), sender="bravo", now_ms=NOW)

    assert "BAD_TYPE" == caught.value.code


# Bundles.


def test_a_revoked_author_is_refused_on_arrival_whatever_its_message_says() -> None:
    core = router()
    core.install(with_agency("alpha", status="revoked"))

    assert "KEY_REVOKED" == refused(envelope(ts=NOW - DAY_MS, exp=NOW + DAY_MS), core=core).code


def test_a_bundle_that_fails_half_way_leaves_no_half_of_it_in_force() -> None:
    """It compiles, and one of its keys is weak: policy and keys must go on being of one version."""
    core = router()
    weak = with_agency("golf", keys=(SignKey(bytes(32), 0, NOW + DAY_MS),), status="suspended")

    with pytest.raises(RemoteError):
        core.install(weak)

    golf = core.community.agency("golf")
    assert isinstance(golf, Agency)
    assert "active" == golf.status
    assert world.BUNDLE == core.bundle
    assert isinstance(decide(envelope(readers=(("golf", (0,)),)), core=core), Admitted)


def test_a_bundle_that_contradicts_itself_is_refused() -> None:
    core = router()

    with pytest.raises(InputError):
        core.install(with_agency("golf", clearance="EX-NOBODY-KNOWS"))

    assert world.BUNDLE == core.bundle


def test_permitting_rules_are_remembered_by_label_and_forgotten_with_the_bundle() -> None:
    core = router()
    decide(envelope(), core=core)
    renamed = tuple(rule._replace(rule="N9") if rule.rule == "N1" else rule for rule in world.BUNDLE.rules)
    core.install(world.BUNDLE._replace(rules=renamed))

    decided = decide(envelope(), core=core)

    assert isinstance(decided, Admitted)
    assert ("N9",) == verdict_of(decided).rules


def test_the_router_signs_what_it_decides_and_nobody_else_can() -> None:
    decided = decide(envelope())
    assert isinstance(decided, Admitted)
    forged = decided.message._replace(
        signature=sign(world.sign_pair("alpha").secret, b"sw1 verdict\0", decided.message.statement)
    )

    with pytest.raises(RemoteError) as caught:
        read_verdict(forged, bundle=world.BUNDLE, now_ms=NOW)

    assert "BAD_SIG" == caught.value.code


def test_a_label_whose_words_the_bundle_does_not_know_reaches_nobody() -> None:
    unknown = Label(tlp="AMBER", level="EX-MAYBE", topic="toc.piracy")
    assert Community.compile(world.BUNDLE).level_rank.get("EX-MAYBE") is None

    verdict = verdict_of(refused(envelope(labels=(unknown,), readers=(("bravo", (0,)),))))

    assert ["NTK-UNKNOWN"] == [item.rule for item in verdict.refusals]


def test_the_maker_of_an_over_wide_envelope_in_one_step_is_refused() -> None:
    """The hook of the vectors: one wrap of two claims every bit."""
    made = at(wrap=Only(0, change(3, lambda _bits: 0b1111)))()

    assert "AUDIENCE" == refused(made.input).code
