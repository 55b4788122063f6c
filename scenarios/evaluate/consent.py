"""Requests for an originator's consent (ORCON) and what became of them: the minutes that consent cost.

A request is answered by a decision of the originator it went to. Records of foreign nodes may name the request, or
the report it was about, as what a decision refers to; so a decision is matched by either, and else to the oldest
open request of that reader.
"""

from dataclasses import dataclass
from typing import Literal

from scenarios.evaluate.history import History, Moment, Release

RequestState = Literal["granted", "refused", "lapsed", "open at ENDEX"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRequest:
    """One request, from asking to the product in hand.

    Attributes:
        decided_ms: When the originator's desk decided.
        told_ms: When the asker's desk opened the decision.
        product_ms: When the asker's node verified what the grant released.
        in_time: Whether it was decided by ``answer_by_ms``; None while that had not come by ENDEX.
        expires_ms: When a grant ends; None for good.
        ended_ms: When the reader's node erased what came by it.
        concealed: Whether the asker was told no more than that there is no such report.
    """

    hid: str
    order: str | None
    asker: str
    originator: str
    reader: str
    subject: str
    asked_ms: int
    asked_wall_ms: int
    answer_by_ms: int
    state: RequestState
    decided_ms: int | None
    told_ms: int | None
    product_ms: int | None
    product: str | None
    reason: str
    conditions: str
    in_time: bool | None
    concealed: bool = False
    expires_ms: int | None = None
    ended_ms: int | None = None


def find_requests(history: History, *, start_ms: int) -> tuple[ConsentRequest, ...]:
    """Collect the requests of a play with their outcomes.

    Args:
        history: The record.
        start_ms: Scenario time at STARTEX, since ``answer_by_ms`` is recorded as Unix time.
    """
    decisions = _match(history)
    return tuple(
        _follow(asked, decisions.get(index), history, start_ms)
        for index, asked in enumerate(history.of_stage("requested"))
        if asked.at_ms <= history.end_ms
    )


def _match(history: History) -> dict[int, Moment]:
    """Give each decision to one request, by the request's place in the order of asking."""
    asked = history.of_stage("requested")
    released = {release.hid: release for release in history.releases}
    answered: dict[int, Moment] = {}
    for decision in history.of_stage("decision"):
        if decision.at_ms > history.end_ms or decision.fields.get("copy"):
            continue
        open_requests = [
            (index, request)
            for index, request in enumerate(asked)
            if index not in answered
            and request.text("originator") == decision.source
            and request.at_ms <= decision.at_ms
            and (request.text("reader") or request.source) == decision.text("reader")
        ]
        release = released.get(decision.text("hid"))
        named = {decision.text("hid"), (release.ref if release else None) or ""} - {""}
        about = [pair for pair in open_requests if named & _names(pair[1], released)]
        said = [pair for pair in open_requests if pair[1].text("subject") == decision.text("subject")]
        for candidates in (about, said, open_requests):
            if candidates:
                answered[candidates[0][0]] = decision
                break
    return answered


def _names(request: Moment, released: dict[str, Release]) -> set[str]:
    release = released.get(request.text("hid"))
    return {request.text("hid"), (release.ref if release else None) or ""} - {""}


def _follow(asked: Moment, decision: Moment | None, history: History, start_ms: int) -> ConsentRequest:
    hid, originator = asked.text("hid"), asked.text("originator")
    reader = asked.text("reader") or asked.source
    release = next((each for each in history.releases if each.hid == hid), None)
    answer_by_ms = int(asked.fields.get("answer_by_ms") or start_ms) - start_ms
    granted = decision is not None and decision.text("outcome") == "grant"
    product = _product(hid, originator, reader, decision, history) if decision is not None and granted else None
    told = _told(asked, decision, history) if decision is not None else None
    if decision is not None:
        state: RequestState = "granted" if granted else "refused"
        in_time: bool | None = decision.at_ms <= answer_by_ms
    else:
        lapsed = answer_by_ms <= history.end_ms
        state, in_time = ("lapsed", False) if lapsed else ("open at ENDEX", None)
    return ConsentRequest(
        hid=hid,
        order=release.order if release else asked.fields.get("order"),
        asker=asked.source,
        originator=originator,
        reader=reader,
        subject=asked.text("subject"),
        asked_ms=asked.at_ms,
        asked_wall_ms=asked.wall_ms,
        answer_by_ms=answer_by_ms,
        state=state,
        decided_ms=decision.at_ms if decision else None,
        told_ms=told,
        product_ms=product[0] if product else None,
        product=product[1] if product else None,
        reason=decision.text("reason") if decision else "",
        conditions=decision.text("conditions") if decision else "",
        in_time=in_time,
        concealed=decision is not None and bool(decision.fields.get("concealed")),
        expires_ms=_expires(decision, start_ms),
        ended_ms=_ended(reader, product[1], history) if product is not None else None,
    )


def _expires(decision: Moment | None, start_ms: int) -> int | None:
    if decision is None or decision.fields.get("expires_ms") is None:
        return None
    return int(decision.fields["expires_ms"]) - start_ms


def _ended(reader: str, product: str, history: History) -> int | None:
    """Return when the reader's node erased what came by a grant."""
    ended = (
        moment.at_ms
        for moment in history.of_stage("grant_over", source=reader)
        if moment.text("hid") == product and moment.fields.get("bits") and moment.at_ms <= history.end_ms
    )
    return next(ended, None)


def _told(asked: Moment, decision: Moment, history: History) -> int | None:
    opened = [
        moment
        for moment in history.of_stage("decision_opened", source=asked.source)
        if decision.at_ms <= moment.at_ms <= history.end_ms and moment.text("outcome") == decision.text("outcome")
    ]
    exact = [moment for moment in opened if moment.text("hid") in {decision.text("hid"), asked.text("hid")}]
    return (exact or opened)[0].at_ms if opened else None


def _product(request: str, originator: str, reader: str, decision: Moment, history: History) -> tuple[int, str] | None:
    """The first report of the originator that reached the reader after the grant."""
    sent = [
        release
        for release in history.releases
        if release.agency == originator
        and release.at_ms >= decision.at_ms
        and reader in release.audience
        and release.kind == "report"
    ]
    for release in [each for each in sent if each.cause == request] or sent:
        arrival = next(
            (
                arrival
                for arrival in history.arrivals
                if arrival.hid == release.hid
                and arrival.agency == reader
                and release.at_ms <= arrival.at_ms <= history.end_ms
            ),
            None,
        )
        if arrival is not None:
            return arrival.at_ms, release.hid
    return None
