"""What arrives and has to do with consent: requests, decisions, and portions whose grant was over before they came.

Runs where the node's store is used, inside the transaction that takes a frame up.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from agencies.consent_watch import end_grant
from agencies.outgoing import Moment
from agencies.state import Accepted
from agencies.store import NodeStore
from schemas.workflow import DecisionContent, ObjectionContent, ProposalContent, RequestContent
from sealing.opening import Content


def note_consent(
    store: NodeStore, hid: bytes, contents: Iterable[Content], *, originator: str, ref: bytes | None, moment: Moment
) -> bool:
    """Remember a request that waits for our decision, that ours has its decision now, and what is granted.

    Args:
        store: The node's database.
        hid: The message.
        contents: Of its portions.
        originator: Who sent it.
        ref: Its ``ref``: of a decision, the request.
        moment: Now.

    Returns:
        Whether there was any of it, so that the clock has to be looked at anew.
    """
    noted = False
    for content in contents:
        match content:
            case RequestContent():
                store.consent.open_request(hid, content, side="originator", other=originator)
            case DecisionContent():
                # A decision counts from the originator that was asked, and a grant for its own messages.
                if ref is not None:
                    store.consent.decide_request(ref, side="asker", other=originator)
                store.consent.keep_grant(hid, content, originator=originator, begin=moment.at_ms)
            case _:
                continue
        noted = True
    return noted


def without_ended(store: NodeStore, accepted: Accepted, moment: Moment) -> Accepted:
    """Erase at once what comes by a grant that was over before it came; returns what is left for the desk."""
    ended = store.consent.over(accepted.hid, originator=accepted.originator, reader=store.agency, now_ms=moment.at_ms)
    bits = 0
    for known in ended:
        end_grant(store, known, moment)
        bits |= known.grant.bits
    if not bits:
        return accepted
    return replace(accepted, portions=tuple(item for item in accepted.portions if not bits >> item.place & 1))


def ended_meanwhile(store: NodeStore, hid: bytes, place: int, moment: Moment) -> bool:
    """Erase a portion whose grant was over before all of its chunks came; tells whether it was."""
    held = store.held(hid)
    if held is None:
        return False
    ended = store.consent.over(hid, originator=held.originator, reader=store.agency, now_ms=moment.at_ms)
    late = [known for known in ended if known.grant.bits >> place & 1]
    for known in late:
        end_grant(store, known, moment)
    return bool(late)


def workflow_fields(content: Content) -> dict[str, Any]:
    """Return what the journal says of a request or decision that the desk has opened."""
    match content:
        case RequestContent():
            return {"reader": content.reader, "subject": content.subject}
        case DecisionContent():
            fields = {"outcome": content.outcome, "reason": content.reason, "conditions": content.conditions}
            return fields if content.expires is None else {**fields, "expires_ms": content.expires}
        case ProposalContent():
            terms = content.release
            return {
                "subject": content.subject,
                "reason": content.reason,
                "object_by_ms": content.object_by,
                "reader": None if terms is None else terms.reader,
            }
        case ObjectionContent():
            return {"reason": content.reason}
        case _:
            return {}
