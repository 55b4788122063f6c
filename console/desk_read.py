"""One message as its people may read it: its text with labels and lineage, or what the record says of one of their own.

Of a message that was recalled, or whose grants are over, nothing is told but that.
"""

from collections.abc import Iterator
from typing import Any, Final

from rich.console import Console

from agencies.recalls import RecallState, recall_state
from agencies.store import HeldPortion
from console.happenings import shown_portion
from console.inbox import state_of
from console.node_reading import SENT_STAGES, NodeReading
from console.node_view import clock_text, show_happening, show_lineage
from console.outcome_view import label_text
from console.screen import plain
from schemas.label import Label
from schemas.limits import UINT_MS_MAX
from schemas.report import PortionContent

_HID_CHARS: Final = 12
Document = dict[str, Any]


def read_message(reading: NodeReading, hid: bytes) -> Document:
    """Return a message as JSON has it; ``state`` is ``held``, ``recalled``, ``ended`` or ``sent``."""
    held = reading.store.held(hid)
    if held is None:
        return _sent(reading, hid)
    portions = reading.readable(hid)
    state = state_of(reading, hid)
    product = reading.store.joint.held(hid)
    came = [entry for entry in reading.store.journal.entries(stages=("verified",)) if entry.fields["hid"] == hid.hex()]
    return {
        "agency": reading.agency,
        "hid": hid.hex(),
        "state": state,
        "kind": held.kind,
        "originator": held.originator,
        "at_ms": came[0].at_ms if came else 0,
        "ref": None if held.ref is None else held.ref.hex(),
        "portions": [_portion(reading, item) for item in portions],
        **({} if product is None else {"cosigned": list(product.signed), "unsigned": list(product.unsigned)}),
        "made_from_it": [*_made_from(reading, hid)],
    }


def show_message(screen: Console, document: Document) -> None:
    """Print a message with its lineage."""
    if document["state"] == "sent":
        _show_sent(screen, document)
    elif document["state"] == "held":
        show_happening(screen, {"event": "received", **document})
    else:
        why = "was recalled" if document["state"] == "recalled" else "came by a grant that is over"
        screen.print(
            plain(f"{document['hid'][:_HID_CHARS]} of {document['originator']} {why}: nothing of it may be read")
        )
    for made in document["made_from_it"]:
        readers = f", given to {', '.join(made['readers'])}" if made["readers"] else ""
        recalled = ", recalled" if made["recalled"] else ""
        screen.print(plain(f"  in our {made['hid'][:_HID_CHARS]}{readers}{recalled}"))


def read_recall(reading: NodeReading, hid: bytes) -> Document:
    """Return what became of a recall at each agency that had the message.

    Raises:
        InputError: If it is no message of this agency that was recalled.
    """
    return {
        "agency": reading.agency,
        "hid": hid.hex(),
        "readers": [_answer(state) for state in recall_state(reading.store, hid)],
    }


def show_recall(screen: Console, document: Document) -> None:
    """Print the state of a recall."""
    screen.print(plain(f"recall of {document['hid'][:_HID_CHARS]}", style="bold"))
    for reader in document["readers"]:
        alarm = reader["answer"] != "purged"
        when = "" if reader["at_ms"] is None else f" at {clock_text(reader['at_ms'])}"
        used = "".join(f", used in {hid[:_HID_CHARS]}" for hid in reader["used_in"])
        said = reader["answer"].upper() if alarm else reader["answer"]
        screen.print(plain(f"  {reader['agency']}: {said}{when}{used}", style="red" if alarm else "green"))


def _answer(state: RecallState) -> Document:
    used = [hid.hex() for hid in state.used_in]
    return {"agency": state.reader, "answer": state.answer, "at_ms": state.at_ms, "used_in": used}


def _portion(reading: NodeReading, item: HeldPortion) -> Document:
    content = item.content
    parents = content.derived_from if isinstance(content, PortionContent) else ()
    ends = [
        grant.expires
        for grant in reading.store.grants(item.hid)
        if grant.reader == reading.agency and grant.bits >> item.place & 1 and grant.expires < UINT_MS_MAX
    ]
    return {
        "place": item.place,
        **shown_portion(item.label, content),
        "parents": [{"hid": parent.hid.hex(), "state": _state_of(reading, parent.hid)} for parent in parents],
        "grant_ends_ms": max(ends) if ends else None,
    }


def _state_of(reading: NodeReading, hid: bytes) -> str:
    held = reading.store.held(hid)
    if held is not None:
        return f"recalled by {held.originator}" if held.recalled else f"held, of {held.originator}"
    return "ours" if reading.store.has_sealed(hid) else "not held here"


def _made_from(reading: NodeReading, hid: bytes) -> Iterator[Document]:
    for product in reading.store.derived.products(hid):
        yield {
            "hid": product.hex(),
            "readers": sorted(reading.store.offered_to(product)),
            "recalled": not reading.store.can_release(product),
        }


def _sent(reading: NodeReading, hid: bytes) -> Document:
    """Return what the record says of a message of our own: its texts are sealed, and kept by whoever wrote them."""
    entries = [
        entry for entry in reading.store.journal.entries(stages=SENT_STAGES) if entry.fields.get("hid") == hid.hex()
    ]
    first = entries[0]
    portions: list[Document] = next((entry.fields["portions"] for entry in entries if entry.fields.get("portions")), [])
    used = reading.store.derived.used(hid)
    return {
        "agency": reading.agency,
        "hid": hid.hex(),
        "state": "sent",
        "kind": first.fields.get("kind") or first.stage,
        "originator": reading.agency,
        "at_ms": first.at_ms,
        "ref": first.fields.get("ref"),
        "portions": [
            {
                "place": item["place"],
                "title": item["title"],
                "label": item["label"],
                "parents": [
                    {"hid": parent, "state": _state_of(reading, bytes.fromhex(parent))}
                    for parent, _ in item["derived_from"]
                ],
            }
            for item in portions
        ],
        "readers": sorted(reading.store.offered_to(hid)),
        "used_in": {reader: [product.hex() for product in products] for reader, products in used.items()},
        "recalled": reading.store.has_sealed(hid) and not reading.store.can_release(hid),
        "made_from_it": [*_made_from(reading, hid)],
    }


def _show_sent(screen: Console, document: Document) -> None:
    recalled = ", RECALLED" if document["recalled"] else ""
    head = f"{document['kind']} of our own, {clock_text(document['at_ms'])}, {document['hid'][:_HID_CHARS]}{recalled}"
    screen.print(plain(head, style="bold"))
    for portion in document["portions"]:
        screen.print(plain(f"  place {portion['place']}  {portion['title']}"))
        screen.print(plain(f"    {label_text(Label(**portion['label']))}", style="cyan"))
        show_lineage(screen, portion)
    screen.print(plain(f"  to {', '.join(document['readers']) or 'nobody'}"))
    for reader, products in document["used_in"].items():
        screen.print(plain(f"  used by {reader} in {', '.join(hid[:_HID_CHARS] for hid in products)}"))
