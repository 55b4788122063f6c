"""What became of each recall, as its author's node came to know it (handling rule H13).

For every agency that had the message: whether it said that it is erased, after how long, and in which products of its
own it had used it. The receipts are the author's; whether the readers' records bear them out is another question
(scenarios/evaluate/reconcile.py).
"""

from dataclasses import dataclass
from typing import Literal

from scenarios.evaluate.history import History, Moment, Release

RecallAnswer = Literal["purged", "cannot", "no answer yet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecalledFrom:
    """One agency that had a recalled message, and what it answered; ``used_in`` names its products."""

    agency: str
    answer: RecallAnswer
    answered_ms: int | None
    used_in: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """A message that was taken back, and what became of it at each agency that had it."""

    hid: str
    recalls: str
    agency: str
    order: str | None
    released_ms: int
    reason: str
    recipients: tuple[RecalledFrom, ...]


def find_recalls(history: History) -> tuple[Recall, ...]:
    """Collect the recalls of a play, the earliest of each message first."""
    found: dict[str, Recall] = {}
    for release in history.releases:
        if release.kind == "recall" and release.ref is not None and release.ref not in found:
            found[release.ref] = _follow(release, release.ref, history)
    return tuple(found.values())


def _follow(recall: Release, recalled: str, history: History) -> Recall:
    receipts = [
        moment
        for moment in history.of_stage("receipt", source=recall.agency)
        if moment.text("hid") == recalled and recall.at_ms <= moment.at_ms <= history.end_ms
    ]
    return Recall(
        hid=recall.hid,
        recalls=recalled,
        agency=recall.agency,
        order=recall.order or None,
        released_ms=recall.at_ms,
        reason=recall.reason,
        recipients=tuple(_answer(reader, receipts) for reader in sorted(recall.audience)),
    )


def _answer(reader: str, receipts: list[Moment]) -> RecalledFrom:
    theirs = [moment for moment in receipts if moment.text("reader") == reader]
    # What a grant's end erased is receipted with its decision, and answers no recall.
    answers = [
        moment for moment in theirs if moment.text("status") in {"purged", "cannot"} and not moment.text("decision")
    ]
    answered = next((moment for moment in answers if moment.text("status") == "purged"), next(iter(answers), None))
    answer: RecallAnswer = "no answer yet"
    if answered is not None:
        answer = "purged" if answered.text("status") == "purged" else "cannot"
    return RecalledFrom(
        agency=reader,
        answer=answer,
        answered_ms=None if answered is None else answered.at_ms,
        used_in=tuple(dict.fromkeys(moment.text("product") for moment in theirs if moment.text("status") == "used")),
    )
