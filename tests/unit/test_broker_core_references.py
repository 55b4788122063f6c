"""Corrections, recalls and re-releases: who may refer to which message, and what a stranger learns of it."""

from typing import Any

import pytest

from broker.state import Admitted, Decided, Refused
from conformance import world
from conformance.evil_book import envelope
from conformance.memory import MemoryState
from tests.samples.small_core import after_alpha, decide, first_hid, recall, verdict_of

ONE: dict[str, Any] = {"labels": (world.LABEL,), "readers": (("bravo", (0,)),)}


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
