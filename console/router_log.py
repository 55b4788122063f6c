"""What a router's record says, report by report, with every refusal decided anew as of the logged time.

Nothing here can be read of a report's content: the router never had it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from broker.store import RecordRow
from policy.community import Community
from policy.decide import decide
from policy.verdict import Action
from schemas.codec import read_shape, unpack
from schemas.label import Label
from schemas.limits import ENVELOPE_BYTES_MAX

_WORKFLOW: Final = frozenset({"receipt", "request", "decision"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """An agency that did not get a portion, and why as far as the rules go."""

    agency: str
    rule: str
    reason: str


@dataclass(slots=True, kw_only=True)
class LoggedPortion:
    """One portion as the router saw it: its label, who got it, who did not."""

    place: int
    label: Label
    permitted: tuple[tuple[str, str], ...]  # agency and the rule that permits
    left_out: tuple[LeftOut, ...]


@dataclass(slots=True, kw_only=True)
class LoggedRelease:
    """One decision of the router: a release that was accepted or refused."""

    number: int
    at_ms: int
    hid: str
    originator: str
    outcome: str
    kind: str = ""
    re_release: bool = False
    code: str = ""
    stage: str = ""
    bundle_version: int = 0
    portions: list[LoggedPortion] = field(default_factory=list)
    refusals: list[dict[str, Any]] = field(default_factory=list)
    delivered: list[tuple[str, int]] = field(default_factory=list)  # agency and when its ack came, Unix ms
    cancelled: list[str] = field(default_factory=list)

    @property
    def is_workflow(self) -> bool:
        """Tell whether it says nothing of any report."""
        return self.kind in _WORKFLOW


class RouterLog:
    """Reads a router's records in order.

    Args:
        communities: By bundle version, every one that was ever in force.
    """

    def __init__(self, communities: Mapping[int, Community]) -> None:
        self._communities = communities
        self._version = min(communities)
        self._releases: list[LoggedRelease] = []
        self._newest: dict[str, LoggedRelease] = {}

    def read(self, rows: Iterable[RecordRow]) -> tuple[LoggedRelease, ...]:
        """Return what the records tell, oldest first."""
        for row in rows:
            self._take(row)
        return tuple(self._releases)

    def _take(self, row: RecordRow) -> None:
        hid = "" if row.hid is None else row.hid.hex()
        match row.stage:
            case "bundle":
                (self._version,) = _unpacked(row)
            case "admitted":
                kind, _ref, _wraps, re_release, _audience = _unpacked(row)
                self._add(row, hid, outcome="accepted", kind=kind, re_release=bool(re_release))
            case "decided":
                place, label, permitted = _unpacked(row)
                self._newest[hid].portions.append(
                    self._portion(row, place, read_shape(Label, label), frozenset(permitted))
                )
            case "refused":
                code, stage, refusals = _unpacked(row)
                release = self._add(row, hid, outcome="refused", code=code, stage=stage)
                release.refusals = [
                    {"place": place, "agency": reader, "rule": rule, "reason": reason}
                    for place, reader, rule, reason in refusals
                ]
            case "delivered" if hid in self._newest:
                self._newest[hid].delivered.append((row.agency, row.at))
            case "cancelled" if hid in self._newest:
                self._newest[hid].cancelled.append(row.agency)
            case _:
                pass

    def _add(self, row: RecordRow, hid: str, **told: Any) -> LoggedRelease:
        release = LoggedRelease(
            number=row.number, at_ms=row.at, hid=hid, originator=row.agency, bundle_version=self._version, **told
        )
        self._releases.append(release)
        if release.outcome == "accepted":
            self._newest[hid] = release
        return release

    def _portion(self, row: RecordRow, place: int, label: Label, permitted: frozenset[str]) -> LoggedPortion:
        """Decide anew for everybody; whom the rules permit and the record lacks, the author did not seal it for."""
        community = self._communities[self._version]
        got: list[tuple[str, str]] = []
        left_out: list[LeftOut] = []
        for agency in community.agencies:
            name = agency.agency
            if name == row.agency:
                continue
            verdict = decide(
                label, originator=row.agency, recipient=name, action=Action.RELEASE, at_ms=row.at, community=community
            )
            if name in permitted:
                got.append((name, verdict.rule))
            elif verdict.permit:
                text = f"the rules permit it ({verdict.rule}), and {row.agency} did not seal it for {name}"
                left_out.append(LeftOut(agency=name, rule="NOT-SEALED", reason=text))
            else:
                reason = next((item.text for item in verdict.reasons if not item.passed), "")
                left_out.append(LeftOut(agency=name, rule=verdict.rule, reason=reason))
        return LoggedPortion(place=place, label=label, permitted=tuple(got), left_out=tuple(left_out))


def _unpacked(row: RecordRow) -> Any:
    return unpack(row.body, bytes_max=ENVELOPE_BYTES_MAX)


def as_documents(releases: Iterable[LoggedRelease]) -> Iterator[dict[str, Any]]:
    """Yield the releases for machines."""
    for release in releases:
        yield {
            "record": release.number,
            "at_ms": release.at_ms,
            "hid": release.hid or None,
            "originator": release.originator,
            "kind": release.kind or None,
            "outcome": release.outcome,
            "re_release": release.re_release,
            "code": release.code or None,
            "stage_failed": release.stage or None,
            "bundle_version": release.bundle_version,
            "portions": [
                {
                    "place": portion.place,
                    "label": portion.label._asdict(),
                    "permitted": [{"agency": name, "rule": rule} for name, rule in portion.permitted],
                    "left_out": [
                        {"agency": item.agency, "rule": item.rule, "reason": item.reason} for item in portion.left_out
                    ],
                }
                for portion in release.portions
            ],
            "refusals": release.refusals,
            "delivered": [{"agency": name, "at_ms": at_ms} for name, at_ms in release.delivered],
            "cancelled": release.cancelled,
        }
