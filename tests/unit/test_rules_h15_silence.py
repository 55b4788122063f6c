"""H15: a refusal may have to hide that the item exists; who has proved to be its author is told all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from broker.router import Outcome
from conformance import world
from conformance.evil_book import sealed
from schemas.codec import pack, read_shape, unpack
from schemas.frames import RouterVerdict, VerdictMessage
from schemas.workflow import CoordContent, CosignContent
from tests.samples.small_router import SmallRouter

_COSIGN: Final = {
    "kind": "cosign", "labels": (world.LABEL._replace(topic="workflow.cosign"),),
    "contents": (pack(CosignContent("EXERCISE", None, "no")),),
}  # fmt: skip
_COORD: Final = {
    "kind": "coord", "labels": (world.LABEL._replace(topic="workflow.coord"),),
    "contents": (pack(CoordContent("EXERCISE", "accept", "boats", "", None)),),
}  # fmt: skip
_RECALL: Final = {"kind": "recall", "labels": (), "readers": (("bravo", ()),)}
# What somebody can send who would like to know whether a message is there.
GUESSES: Final[dict[str, dict[str, Any]]] = {
    "recall": _RECALL,
    "correction": {"labels": (world.LABEL,)},
    "answer": {"kind": "answer", "labels": (world.LABEL,)},
    "cosign": _COSIGN,
    "coordination": _COORD,
}


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SmallRouter]:
    made = SmallRouter(tmp_path)
    yield made
    made.close()


def verdict(outcome: Outcome, agency: str) -> RouterVerdict:
    (message,) = [item for item in outcome.sends[agency] if isinstance(item, VerdictMessage)]
    return read_shape(RouterVerdict, unpack(message.statement, bytes_max=65_536))


def guess(router: SmallRouter, ref: bytes, fields: dict[str, Any]) -> tuple[Any, ...]:
    """Let golf refer to a message; returns all that it is told, but for the id of its own message."""
    made = sealed(**{"name": f"guess {ref.hex()}", "by": ("golf",), "readers": (("bravo", (0,)),), "ref": ref} | fields)
    outcome = router.send(made[1], sender="golf")
    assert ["golf"] == list(outcome.sends)
    told = verdict(outcome, "golf")
    return outcome.answers, told._replace(hid=b"", wraps_hash=b"", record=0)


@pytest.mark.parametrize("kind", GUESSES)
def test_h15_whoever_guesses_an_id_is_told_the_same_of_a_message_that_exists(router: SmallRouter, kind: str) -> None:
    message, outcome = router.report("secret", "charlie", label=world.HIGH)
    assert "accepted" == verdict(outcome, "alpha").outcome

    of_one_that_exists = guess(router, message.hid, GUESSES[kind])
    of_none = guess(router, bytes(32), GUESSES[kind])

    assert of_none == of_one_that_exists
    assert ("refused", "REFERENCE", ()) == (of_none[1].outcome, of_none[1].code, of_none[1].refusals)


def test_h15_an_agency_that_may_not_have_it_is_sent_nothing_at_all(router: SmallRouter) -> None:
    router.hello("bravo")
    _, outcome = router.report("secret", "charlie", label=world.HIGH)
    _, refused = router.report("secret for two", "bravo", "charlie", label=world.HIGH)

    assert "bravo" not in outcome.sends
    assert "bravo" not in refused.sends
    assert 0 == router.queued("bravo")


def test_h15_an_author_is_told_whom_and_why(router: SmallRouter) -> None:
    _, outcome = router.report("secret for two", "bravo", "charlie", label=world.HIGH)
    told = verdict(outcome, "alpha")

    assert ("refused", "AUDIENCE") == (told.outcome, told.code)
    assert ("bravo", "NTK-CLEARANCE") == (told.refusals[0].reader, told.refusals[0].rule)


def test_h15_who_only_says_that_it_is_the_author_is_told_of_no_refusal(router: SmallRouter) -> None:
    _, made = sealed(name="in alpha's name", labels=(world.HIGH,), readers=(("bravo", (0,)),))
    outcome = router.send(made, sender="golf")

    assert () == verdict(outcome, "golf").refusals
    assert "alpha" not in outcome.sends
