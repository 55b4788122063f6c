"""Layer L4, the reader's side: numbers that repeat, jump and fall behind, and recalls of what is held."""

from functools import partial
from typing import Any

from conformance.evil_audiences import L4
from conformance.evil_book import Made, Row, enter_rows, envelope, named, sealed, world
from conformance.evil_sealer import cut
from schemas.errors import Code
from schemas.limits import REPLAY_WINDOW_MESSAGES

HIGH_SEQ = 5_000


def _cut(name: str, seq: int, **changes: Any) -> bytes:
    """Return bravo's cut of a message of alpha's with this name and number."""
    plan: dict[str, Any] = {"name": name, "seq": seq, "labels": (world.LABEL,), "readers": (("bravo", (0,)),)}
    return cut(envelope(**(plan | changes)), "bravo")


def _take(last: bytes, *earlier: bytes) -> Made:
    return Made(last, {"me": "bravo", "earlier": [before.hex() for before in earlier]})


@L4.accepts("take", "SEQ-006", why="control")
def numbers_in_order() -> Made:
    """A message, and the next."""
    return _take(_cut("second", 2), _cut("first", 1))


@L4.accepts("take", "SEQ-003", "ENV-083", base="numbers_in_order", mutation="the first again", verdict="repeat",
            why="a network may repeat itself, and a report counts once")  # fmt: skip
def message_again() -> Made:
    """The same message once more."""
    return _take(_cut("first", 1), _cut("first", 1))


def _allowed() -> None:
    lost = "what is lost must show, and what came must count"
    lowest = HIGH_SEQ - REPLAY_WINDOW_MESSAGES + 1
    rows = (
        ("number_after_a_gap", "SEQ-007", "Two numbers are missing.", (_cut("fourth", 4), _cut("first", 1))),
        ("number_out_of_order", "SEQ-006", "The first comes after the second.", (_cut("first", 1), _cut("second", 2))),
        ("number_at_the_windows_edge", "SEQ-006", "The lowest number inside the window.",
         (_cut("late", lowest), _cut("high", HIGH_SEQ))),
        ("number_of_another_originator", "SEQ-004", "Golf uses a number that alpha has used.",
         (_cut("golf's", 1, by=("golf",)), _cut("first", 1))),
        ("message_that_another_recalled", "RCL-001", "Golf recalled what alpha had not yet sent.",
         (_cut("first", 1), _cut("recall", 1, **_recall_of("first"), by=("golf",)))),
        ("same_message_with_more_portions", "ENV-069", "Released again to the same reader, under its own number.",
         _released_twice()),
    )  # fmt: skip
    for name, req, fault, (last, *earlier) in rows:
        enter = L4.accepts("take", req, base="numbers_in_order", mutation=fault[:-1], why=lost)
        enter(named(name, fault, partial(_take, last, *earlier)))


def _recall_of(name: str) -> dict[str, Any]:
    hid = sealed(name=name, labels=(world.LABEL,), readers=(("bravo", (0,)),))[0].hid
    return {"kind": "recall", "ref": hid, "labels": (), "readers": (("bravo", ()),)}


def _released_twice() -> tuple[bytes, bytes]:
    both: dict[str, Any] = {"labels": (world.LABEL,) * 2}
    one = _cut("twice", 1, **both, readers=(("bravo", (0,)),))
    return _cut("twice", 2, **both, readers=(("bravo", (0, 1)),)), one


_allowed()


def _sequence_rows() -> tuple[Row, ...]:
    outside = HIGH_SEQ - REPLAY_WINDOW_MESSAGES
    first = _cut("first", 1)
    recall = _recall_of("first")
    return (
        ("number_used_twice", Code.EQUIVOCATION, "SEQ-004", "Another message under a number that was used.",
         "one of two readers was shown another message", "Replay", lambda: _take(_cut("other", 1), first)),
        ("number_below_the_window", Code.SEQUENCE, "SEQ-005", "A number just below the window.",
         "what is not remembered could be played again", "Replay",
         lambda: _take(_cut("late", outside), _cut("high", HIGH_SEQ))),
        ("recalled_message_again", Code.RECALLED, "RCL-006", "A recalled message under a new number.",
         "a recalled report must not come back", "Recall",
         lambda: _take(_cut("first", 3), first, _cut("recall", 2, **recall))),
        ("recall_before_its_message", Code.RECALLED, "RCL-007", "The recall came first.",
         "a network that holds a report back would bring it to life again", "Recall",
         lambda: _take(first, _cut("recall", 2, **recall))),
        ("recall_by_another_to_a_reader", Code.REFERENCE, "RCL-001", "Golf recalls what alpha wrote.",
         "only who wrote a report may take it back", "Recall",
         lambda: _take(_cut("recall", 1, **recall, by=("golf",)), first)),
        ("correction_by_another_to_a_reader", Code.REFERENCE, "ENV-084", "Golf corrects what alpha wrote.",
         "only who wrote a report may replace it", "Recall",
         lambda: _take(_cut("correction", 1, ref=recall["ref"], by=("golf",)), first)),
    )  # fmt: skip


enter_rows(L4, _sequence_rows(), op="take", base="numbers_in_order")
