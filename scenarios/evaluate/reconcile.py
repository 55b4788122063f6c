"""Do the independent records agree? The router's against the nodes', message by message.

The router cannot read what it forwards and the nodes cannot see each other, so where their records meet they check
one another. A difference is *explained* where play ended with the message on its way; every other one is named.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from scenarios.evaluate.history import EXCON, ROUTER, History, Moment
from scenarios.model import Pack

# Messages that nodes send for each other without an act of the desk: a node records what it got, not that it sent.
_UNRECORDED_KINDS: Final = frozenset({"receipt", "coord", "cosign"})
_RECEIVED_STAGES: Final = ("delivered", "verified", "rejected", "misreleased")


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """Two records that do not agree about one message."""

    check: str
    hid: str
    agency: str
    at_ms: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCount:
    """One check: how many messages it was made on, how many were on their way at ENDEX, how many are unexplained."""

    check: str
    text: str
    made: int
    on_the_way: int
    unexplained: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The outcome: zero unexplained messages, or a list of them."""

    checks: tuple[CheckCount, ...]
    unexplained: tuple[Discrepancy, ...]
    on_the_way: tuple[Discrepancy, ...]


_CHECKS: Final[dict[str, str]] = {
    "released": "every message a node released was admitted or refused by the router",
    "admitted": "every message the router admitted was released by the node it names",
    "acknowledged delivery": "every delivery the router saw acknowledged stands in the reader's own record",
    "permitted": "every portion a node could read was permitted to it by the router",
    "forwarded": "every message with a permitted portion reached its reader",
    "arrival": "every arrival at a node was acknowledged to the router",
    "refusal": "every refusal of the router is known to the author, and the other way round",
    "receipt": "every receipt an author holds is borne out by the reader's record",
}

_Found = Iterator[tuple[bool, Discrepancy | None]]  # (on the way at ENDEX, what is wrong or None)


def reconcile(pack: Pack, history: History) -> Reconciliation:
    """Compare the router's record with the nodes'."""
    facts = _Records(pack, history)
    results = {
        "released": list(_released(facts)),
        "admitted": list(_admitted(facts)),
        "acknowledged delivery": list(_delivered(facts)),
        "permitted": list(_permitted(facts)),
        "forwarded": list(_forwarded(facts)),
        "arrival": list(_arrivals(facts)),
        "refusal": list(_refusals(facts)),
        "receipt": list(_receipts(facts)),
    }
    counts, unexplained, on_the_way = [], [], []
    for check, found in results.items():
        open_items = [item for late, item in found if late and item is not None]
        wrong = [item for late, item in found if not late and item is not None]
        counts.append(
            CheckCount(
                check=check,
                text=_CHECKS[check],
                made=len(found),
                on_the_way=len(open_items),
                unexplained=len(wrong),
            )
        )
        unexplained += wrong
        on_the_way += open_items
    return Reconciliation(checks=tuple(counts), unexplained=tuple(unexplained), on_the_way=tuple(on_the_way))


class _Records:
    """The stages that are compared, by message and agency."""

    def __init__(self, pack: Pack, history: History) -> None:
        self.history = history
        self.agencies = [participant.agency for participant in pack.participants]
        node = [moment for moment in history.moments if moment.source not in {ROUTER, EXCON}]
        self.node = node
        self.at_node = {(m.text("hid"), m.source, m.stage): m for m in reversed(node)}
        self.acted_on = {(m.source, m.text("cause")) for m in node if m.stage in {"acted", "released", "intended"}}
        router = [moment for moment in history.moments if moment.source == ROUTER]
        self.admitted = {m.text("hid"): m for m in reversed(router) if m.stage == "admitted"}
        self.refused = {m.text("hid"): m for m in router if m.stage == "refused" and m.fields.get("hid")}
        self.delivered = {(m.text("hid"), m.text("recipient")): m for m in router if m.stage == "delivered"}
        self.permits: dict[tuple[str, str], dict[int, Moment]] = {}
        for moment in router:
            if moment.stage == "decided" and moment.fields.get("permit") is True:
                places = self.permits.setdefault((moment.text("hid"), moment.text("recipient")), {})
                places[int(moment.fields["place"])] = moment

    def of(self, stage: str) -> list[Moment]:
        """The nodes' moments of one stage."""
        return [moment for moment in self.node if moment.stage == stage]

    def has(self, hid: str, agency: str, *stages: str) -> bool:
        """Tell whether the node recorded any of the stages for the message."""
        return any((hid, agency, stage) in self.at_node for stage in stages)


def _wrong(check: str, moment: Moment, agency: str, text: str) -> Discrepancy:
    return Discrepancy(check=check, hid=moment.text("hid"), agency=agency, at_ms=moment.at_ms, text=text)


def _released(records: _Records) -> _Found:
    for moment in records.of("released"):
        hid = moment.text("hid")
        if hid in records.admitted or hid in records.refused:
            yield False, None
            continue
        # An author keeps sending until a verdict comes, so at ENDEX a message may still wait for its link.
        answered = records.has(hid, moment.source, "accepted", "refused")
        text = (
            f"{moment.source} holds an answer to it, and the router has no record of it"
            if answered
            else f"{moment.source} released it, and it had not reached the router at ENDEX"
        )
        yield not answered, _wrong("released", moment, moment.source, text)


def _admitted(records: _Records) -> _Found:
    for hid, moment in sorted(records.admitted.items(), key=lambda item: (item[1].at_ms, item[0])):
        author = moment.text("originator")
        if moment.text("kind") in _UNRECORDED_KINDS or records.has(hid, author, "released", "receipt", "decision"):
            yield False, None
        else:
            text = f"the router admitted it as {author}'s, and {author} has no record of releasing it"
            yield False, _wrong("admitted", moment, author, text)


def _delivered(records: _Records) -> _Found:
    for (hid, reader), moment in records.delivered.items():
        kind = records.admitted[hid].text("kind") if hid in records.admitted else ""
        if kind in _UNRECORDED_KINDS or records.has(hid, reader, *_RECEIVED_STAGES):
            yield False, None
        else:
            text = f"the router saw the delivery to {reader} acknowledged, and {reader} has no record of it"
            yield False, _wrong("acknowledged delivery", moment, reader, text)


def _permitted(records: _Records) -> _Found:
    for arrival in records.history.arrivals:
        permitted = records.permits.get((arrival.hid, arrival.agency), {})
        for portion in arrival.portions:
            if portion.place in permitted or arrival.originator == arrival.agency:
                yield False, None
                continue
            text = f"{arrival.agency} could read portion {portion.place}, and the router never permitted it"
            yield (
                False,
                Discrepancy(check="permitted", hid=arrival.hid, agency=arrival.agency, at_ms=arrival.at_ms, text=text),
            )


def _forwarded(records: _Records) -> _Found:
    for (hid, reader), places in records.permits.items():
        moment = min(places.values(), key=lambda each: each.number)
        if hid not in records.admitted:  # a refused envelope's decisions lead nowhere
            continue
        if (hid, reader) in records.delivered or records.has(hid, reader, *_RECEIVED_STAGES):
            yield False, None
        else:
            yield True, _wrong("forwarded", moment, reader, f"it had not reached {reader} at ENDEX")


def _arrivals(records: _Records) -> _Found:
    for moment in records.of("delivered"):
        hid, reader = moment.text("hid"), moment.source
        if hid not in records.admitted:
            text = f"{reader} received it, and the router has no record of admitting it"
            yield False, _wrong("arrival", moment, reader, text)
        elif (hid, reader) in records.delivered:
            yield False, None
        else:
            yield True, _wrong("arrival", moment, reader, f"{reader}'s acknowledgment had not come back at ENDEX")


def _refusals(records: _Records) -> _Found:
    for hid, moment in records.refused.items():
        author = moment.text("originator")
        if records.has(hid, author, "refused"):
            yield False, None
        else:
            yield True, _wrong("refusal", moment, author, f"the verdict had not reached {author} at ENDEX")
    for moment in records.of("refused"):
        if moment.text("hid") in records.refused:
            yield False, None
        else:
            text = f"{moment.source} holds a refusal, and the router has no record of refusing"
            yield False, _wrong("refusal", moment, moment.source, text)


def _receipts(records: _Records) -> _Found:
    for moment in records.of("receipt"):
        reader, status = moment.text("reader"), moment.text("status")
        stages = {"delivered": _RECEIVED_STAGES, "acted": ("acted", "released"), "misreleased": ("misreleased",)}
        wanted = stages.get(status, (status,))
        # What a reader did with a message stands under its own hid or, for an act, under the cause it names.
        acted = status == "acted" and (reader, moment.text("hid")) in records.acted_on
        unrecorded = status in {"purged", "cannot", "used"}
        if unrecorded or acted or records.has(moment.text("hid"), reader, *wanted):
            yield False, None
        else:
            text = (
                f"{moment.source} holds {reader}'s receipt '{status}', and {reader}'s own record does not bear it out"
            )
            yield False, _wrong("receipt", moment, reader, text)
