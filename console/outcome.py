"""What became of a shared report: agencies by portions, what was foreseen, what came true, and by which rule."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policy.audience import audience_mask
from policy.community import Community
from policy.decide import decide
from policy.verdict import Action
from schemas.bundle import Agency
from schemas.label import Label
from schemas.report import Portion

NOT_MEANT: Final = "NOT-MEANT"  # policy would permit it, and its author meant others
NO_KEY: Final = "KEY-EPOCH"  # as agencies.outgoing names it: the reader has announced no box key


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One agency and one portion.

    Attributes:
        foreseen: Whether the pre-flight gave it to this agency.
        routed: Whether the router let it through, or None if nothing was sent.
        received: Whether the agency's node verified it, or None if nothing was sent.
        rule: The rule that decided.
        reason: The deciding test in words.
    """

    foreseen: bool
    routed: bool | None
    received: bool | None
    rule: str
    reason: str

    @property
    def differs(self) -> bool:
        """Tell whether the router or the node did otherwise than was foreseen."""
        return self.received is not None and not self.foreseen == self.routed == self.received


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One agency with a cell for each portion."""

    agency: Agency
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The whole matrix; ``hid`` is None if nothing was sent."""

    originator: str
    portions: tuple[Portion, ...]
    rows: tuple[Row, ...]
    hid: str | None = None

    @property
    def differences(self) -> tuple[tuple[Row, int], ...]:
        """Return each row and portion that came out otherwise than foreseen."""
        return tuple((row, at) for row in self.rows for at, cell in enumerate(row.cells) if cell.differs)

    def readers(self, at: int) -> tuple[str, ...]:
        """Return who has a portion: who received it, or before it is sent who would."""
        return tuple(row.agency.agency for row in self.rows if _has(row.cells[at]))

    @property
    def any_reader(self) -> bool:
        """Tell whether anybody has any portion."""
        return any(_has(cell) for row in self.rows for cell in row.cells)


def _has(cell: Cell) -> bool:
    return cell.foreseen if cell.received is None else cell.received


def foresee(
    portions: Sequence[Portion], *, originator: str, meant: tuple[str, ...], at_ms: int, community: Community
) -> Outcome:
    """Return the pre-flight of a report.

    Args:
        portions: In reading order.
        originator: Who would send it.
        meant: Who is meant; empty means everybody whom the rules permit.
        at_ms: When, Unix ms.
        community: By whose rules.
    """
    labels = [portion.label for portion in portions]
    masks = [audience_mask(label, originator=originator, at_ms=at_ms, community=community) for label in labels]
    rows = []
    for position, agency in enumerate(community.agencies):
        if agency.agency == originator:
            continue
        is_meant = not meant or agency.agency in meant
        cells = []
        for label, mask in zip(labels, masks, strict=True):
            rule, reason = _decided(label, originator, agency.agency, at_ms, community)
            permitted = bool(mask >> position & 1)
            if permitted and not is_meant:
                rule, reason = NOT_MEANT, f"the rules permit it ({rule}), and {originator} means others"
            cells.append(Cell(foreseen=permitted and is_meant, routed=None, received=None, rule=rule, reason=reason))
        rows.append(Row(agency=agency, cells=tuple(cells)))
    return Outcome(originator=originator, portions=tuple(portions), rows=tuple(rows))


def _decided(label: Label, originator: str, recipient: str, at_ms: int, community: Community) -> tuple[str, str]:
    verdict = decide(
        label, originator=originator, recipient=recipient, action=Action.RELEASE, at_ms=at_ms, community=community
    )
    reasons = [item for item in verdict.reasons if item.rule == verdict.rule and item.passed is verdict.permit]
    return verdict.rule, reasons[0].text if reasons else ""


def come_true(
    foreseen: Outcome,
    *,
    hid: str,
    routed: Mapping[str, frozenset[int]],
    received: Mapping[str, frozenset[int]],
    without_key: frozenset[str],
) -> Outcome:
    """Return the outcome with what really happened beside what was foreseen.

    Args:
        foreseen: The pre-flight.
        hid: The report's id.
        routed: The positions of the portions that the router let through, by agency.
        received: The positions that each agency's node has verified.
        without_key: Who could not be sealed for, since its node has announced no box key.
    """
    rows = []
    for row in foreseen.rows:
        name = row.agency.agency
        cells = []
        for at, cell in enumerate(row.cells):
            keyless = cell.foreseen and name in without_key
            cells.append(
                Cell(
                    foreseen=cell.foreseen and not keyless,
                    routed=at in routed.get(name, ()),
                    received=at in received.get(name, ()),
                    rule=NO_KEY if keyless else cell.rule,
                    reason=f"{name} has announced no box key: its node was not seen" if keyless else cell.reason,
                )
            )
        rows.append(Row(agency=row.agency, cells=tuple(cells)))
    return Outcome(originator=foreseen.originator, portions=foreseen.portions, rows=tuple(rows), hid=hid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Agencies for which everything came out alike."""

    names: tuple[str, ...]
    cells: tuple[Cell, ...]


def groups(outcome: Outcome) -> tuple[Group, ...]:
    """Return the rows put together: agencies with the same outcome by the same rules are one group, readers first."""
    gathered: dict[tuple[tuple[bool, bool, str], ...], list[Row]] = {}
    for row in outcome.rows:
        alike = tuple((_has(cell), cell.differs, cell.rule) for cell in row.cells)
        gathered.setdefault(alike, []).append(row)
    found = [Group(names=tuple(row.agency.agency for row in rows), cells=rows[0].cells) for rows in gathered.values()]
    return tuple(sorted(found, key=lambda group: (-sum(_has(cell) for cell in group.cells), group.names)))


def spoken_names(names: Sequence[str], community: Sequence[Agency]) -> Iterator[str]:
    """Yield names for people: a role that is there with every state is named once, with the number of states."""
    of_role: dict[str, list[str]] = {}
    for agency in community:
        if agency.kind == "member":
            of_role.setdefault(agency.role, []).append(agency.agency)
    left = dict.fromkeys(names)
    for role, everyone in of_role.items():
        if len(everyone) > 2 and all(name in left for name in everyone):  # noqa: PLR2004 - two names are no longer than their sum
            yield f"*-{role} (all {len(everyone)})"
            for name in everyone:
                del left[name]
    yield from left


def as_document(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome for machines."""
    return {
        "hid": outcome.hid,
        "originator": outcome.originator,
        "portions": [
            {
                "portion": at,
                "title": portion.content.title,
                "label": portion.label._asdict(),
                "characters": len(portion.content.text),
                "indicators": len(portion.content.indicators),
                "readers": list(outcome.readers(at)),
            }
            for at, portion in enumerate(outcome.portions)
        ],
        "agencies": [
            {
                "agency": row.agency.agency,
                "state": row.agency.state,
                "role": row.agency.role,
                "kind": row.agency.kind,
                "portions": [
                    {
                        "portion": at,
                        "foreseen": cell.foreseen,
                        "routed": cell.routed,
                        "received": cell.received,
                        "rule": cell.rule,
                        "reason": cell.reason,
                    }
                    for at, cell in enumerate(row.cells)
                ],
            }
            for row in outcome.rows
        ],
        "differences": [{"agency": row.agency.agency, "portion": at} for row, at in outcome.differences],
    }
