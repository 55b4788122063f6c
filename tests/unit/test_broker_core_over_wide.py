"""Over-wide wraps are refused whole, and the verdict tells no more than its author may know."""

import pytest

from broker.state import Admitted, Refused
from conformance import world
from conformance.evil_book import Only, at, change, envelope, flip, hooked, put, sealed
from policy.community import Community
from schemas.label import Label
from tests.samples.small_core import NOW, answer_to, decide, refused, verdict_of

DAY_MS = world.DAY_MS


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


def test_a_label_whose_words_the_bundle_does_not_know_reaches_nobody() -> None:
    unknown = Label(tlp="AMBER", level="EX-MAYBE", topic="toc.piracy")
    assert Community.compile(world.BUNDLE).level_rank.get("EX-MAYBE") is None

    verdict = verdict_of(refused(envelope(labels=(unknown,), readers=(("bravo", (0,)),))))

    assert ["NTK-UNKNOWN"] == [item.rule for item in verdict.refusals]


def test_the_maker_of_an_over_wide_envelope_in_one_step_is_refused() -> None:
    """The hook of the vectors: one wrap of two claims every bit."""
    made = at(wrap=Only(0, change(3, lambda _bits: 0b1111)))()

    assert "AUDIENCE" == refused(made.input).code
