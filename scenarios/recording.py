"""From the databases of a play to its record: the router's, every node's and EXCON's, one file each.

The router's records name labels, ids and decisions; the rule of each decision is found again by asking the same
policy as of the time it was made. The nodes' come from their own journals (``scenarios.record`` lists the stages).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agencies.store import NodeStore
from broker.store import RecordRow, Store
from policy.community import Community
from policy.decide import decide
from policy.life_safety import NOTICE_RULE
from policy.members_first import without_members_first
from policy.verdict import Action
from scenarios.record import Event, write_events
from schemas.codec import read_shape, unpack
from schemas.label import Label
from schemas.limits import FRAME_BYTES_MAX
from schemas.report import PortionContent


def write_record(
    folder: Path,
    *,
    excon: list[Event],
    router: Store,
    nodes: dict[str, NodeStore],
    communities: Mapping[int, Community],
    machine_start_ms: int,
) -> None:
    """Write the whole record of a play.

    Args:
        folder: Where the files go.
        excon: EXCON's events.
        router: The router's database.
        nodes: Every node's database.
        communities: Those that were in force, by the version of the bundle; the lowest from the start.
        machine_start_ms: Real time at STARTEX, Unix ms.
    """
    write_events(folder / "excon.jsonl", excon)
    # The router's machine time is not kept; its events stand at the exercise time of their decision.
    write_events(folder / "router.jsonl", _numbered("router", router_events(router, communities)))
    for agency, store in nodes.items():
        write_events(
            folder / f"{agency}.jsonl",
            (
                Event(
                    source=agency,
                    number=entry.number,
                    at_ms=entry.at_ms,
                    wall_ms=entry.machine_ms - machine_start_ms,
                    stage=entry.stage,
                    fields=entry.fields,
                )
                for entry in store.journal.entries()
            ),
        )


def readable_texts(store: NodeStore) -> dict[tuple[str, int], str]:
    """Return what an agency could read, by message and place: only evaluation may look, for the tag queue."""
    return {
        (hid.hex(), portion.place): portion.content.text
        for hid in store.message_ids()
        for portion in store.portions(hid)
        if isinstance(portion.content, PortionContent)
    }


def router_events(store: Store, communities: Mapping[int, Community]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Return the router's events: time, stage and fields; one for each decision on a portion and a reader."""
    community = communities[min(communities)]
    for row in store.records():
        hid = row.hid.hex() if row.hid is not None else None
        value: Any = unpack(row.body, bytes_max=FRAME_BYTES_MAX) if row.body else ()
        match row.stage:
            case "admitted":
                kind, ref, wraps, re_release, _ = value
                yield row.at, "admitted", {
                    "hid": hid, "kind": kind, "originator": row.agency, "ref": ref.hex() if ref else None,
                    "wraps": wraps, "re_release": bool(re_release),
                }  # fmt: skip
            case "decided":
                yield from _decisions(row, hid, value, community)
            case "refused":
                code, stage, refusals = value
                yield row.at, "refused", {
                    "hid": hid, "originator": row.agency, "code": code, "stage_failed": stage,
                    "refusals": [
                        {"place": place, "recipient": reader, "rule": rule} for place, reader, rule, _ in refusals
                    ],
                }  # fmt: skip
            case "overridden":
                by, invoker, authority, readers = value
                yield row.at, "overridden", {
                    "hid": hid, "originator": row.agency, "by": by.hex(), "invoker": invoker, "authority": authority,
                    "readers": list(readers),
                }  # fmt: skip
            case "let_go":
                proposal, mechanism, _, bits, _, _, begin, _ = value
                yield row.at, "let_go", {
                    "hid": hid, "recipient": row.agency, "bits": bits, "proposal": proposal.hex(),
                    "mechanism": mechanism, "object_by_ms": begin - 1,
                }  # fmt: skip
            case "delivered" | "cancelled":
                yield row.at, row.stage, {"hid": hid, "recipient": row.agency}
            case "bundle":
                community = communities[value[0]]
                yield row.at, row.stage, {"details": [str(item) for item in value]}
            case _:
                yield row.at, row.stage, {"details": [str(item) for item in value]}


def _decisions(
    row: RecordRow, hid: str | None, value: Any, community: Community
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    place, packed, permitted = value
    label = read_shape(Label, packed)
    judged = without_members_first(label)  # by then the members had been asked, where they had to be
    for reader in permitted:
        verdict = decide(
            judged, originator=row.agency, recipient=reader, action=Action.RELEASE, at_ms=row.at, community=community
        )
        yield row.at, "decided", {
            "hid": hid, "place": place, "originator": row.agency, "recipient": reader,
            # That it was permitted is what the router wrote down; only the rule's name is asked for again.
            "permit": True, "rule": verdict.rule if verdict.permit else NOTICE_RULE, "label": label._asdict(),
        }  # fmt: skip


def _numbered(source: str, events: Iterator[tuple[int, str, dict[str, Any]]]) -> Iterator[Event]:
    for number, (at_ms, stage, fields) in enumerate(events, start=1):
        yield Event(source=source, number=number, at_ms=at_ms, wall_ms=0, stage=stage, fields=fields)
