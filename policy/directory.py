"""Who is who, as bit sets: agencies at positions, and for each thing that can be asked of an agency, who has it.

An audience is then a handful of ANDs over integers, which is what lets a thousand agencies cost microseconds.
Positions follow the sorted ids, so two bundles that list the same agencies in another order give equal bit sets.
"""

import bisect
from collections.abc import Iterable
from typing import Final

from policy.recent import Recent
from schemas.bundle import Agency, Bundle, SignKey, Standing

_MASKS_MAX: Final = 1_024  # of 2,048 bits at most: 256 KiB


def key_holds(key: SignKey, at_ms: int) -> bool:
    """Tell whether a key is good at a time; a revoked one is refused from the arrival time on that it names."""
    return key.not_before <= at_ms < key.expires and (key.revoked is None or at_ms < key.revoked)


def is_active(agency: Agency, at_ms: int) -> bool:
    """Tell whether an agency takes part at a time: its status is active and one of its keys is good."""
    return agency.status == "active" and any(key_holds(key, at_ms) for key in agency.keys)


class Directory:
    """The agencies, groups and mechanisms of a bundle that ``policy.consistency`` has found sound."""

    def __init__(self, bundle: Bundle) -> None:
        agencies = sorted(bundle.agencies, key=lambda agency: agency.agency)
        self.bundle = bundle
        self.agencies: tuple[Agency, ...] = tuple(agencies)
        self.everyone = (1 << len(agencies)) - 1
        self.level_rank = {level: rank for rank, level in enumerate(bundle.levels)}
        self.compartments = frozenset(bundle.compartments)
        self._positions = {agency.agency: position for position, agency in enumerate(agencies)}
        self._mechanisms = {mechanism.mechanism: mechanism for mechanism in bundle.mechanisms}
        self._index_agencies()
        self._groups = {
            group.group: (self._union(group.members, every_kind=False), self._union(group.members, every_kind=True))
            for group in bundle.groups
        }
        self._boundaries = sorted(set(self._dates()))
        self._active: Recent[int, int] = Recent(entries_max=_MASKS_MAX)
        self._standings: Recent[tuple[str, Standing, int], int] = Recent(entries_max=_MASKS_MAX)

    def _index_agencies(self) -> None:
        """Gather, for each attribute and each of its values, the agencies that have it."""
        self.with_state: dict[str, int] = {}
        self.with_kind: dict[str, int] = {}
        self.with_role: dict[str, int] = {}
        self.with_compartment: dict[str, int] = {}
        self.with_purpose: dict[str, int] = {}
        self.with_protector: dict[str, int] = {}
        self.cleared_for = dict.fromkeys(self.bundle.levels, 0)
        for position, agency in enumerate(self.agencies):
            bit = 1 << position
            for table, values in (
                (self.with_state, () if agency.state is None else (agency.state,)),
                (self.with_kind, (agency.kind,)),
                (self.with_role, (agency.role,)),
                (self.with_compartment, agency.compartments),
                (self.with_purpose, agency.purposes),
                (self.with_protector, agency.client_of),
                (self.cleared_for, self.bundle.levels[: self.level_rank[agency.clearance] + 1]),
            ):
                for value in values:
                    table[value] = table.get(value, 0) | bit

    def _dates(self) -> Iterable[int]:
        """Yield every time at which something about somebody changes."""
        for agency in self.agencies:
            for key in agency.keys:
                yield from (key.not_before, key.expires)
                if key.revoked is not None:
                    yield key.revoked
        for mechanism in self.bundle.mechanisms:
            for membership in mechanism.memberships:
                yield membership.begin
                if membership.end is not None:
                    yield membership.end

    def agency(self, agency_id: str) -> Agency | None:
        """Look an agency up; None if the bundle does not name it."""
        position = self._positions.get(agency_id)
        return None if position is None else self.agencies[position]

    def position(self, agency_id: str) -> int | None:
        """Tell at which bit an agency stands; None if the bundle does not name it."""
        return self._positions.get(agency_id)

    def bit(self, agency_id: str) -> int:
        """Give the bit set of one agency; empty if the bundle does not name it."""
        position = self._positions.get(agency_id)
        return 0 if position is None else 1 << position

    def _of_subject(self, subject: str, *, every_kind: bool) -> int | None:
        if subject.startswith("@"):
            group = self._groups.get(subject)
            return None if group is None else group[every_kind]
        if subject in self.with_state:
            of_state = self.with_state[subject]
            return of_state if every_kind else of_state & self.with_kind.get("member", 0)
        return self.bit(subject) or None

    def _union(self, subjects: Iterable[str], *, every_kind: bool) -> int:
        return self.expand(tuple(subjects), every_kind=every_kind) or 0

    def expand(self, subjects: tuple[str, ...], *, every_kind: bool = False) -> int | None:
        """Give the agencies that subjects stand for.

        Args:
            subjects: States, agencies and groups. A body is itself, never its members.
            every_kind: Whether a state also stands for its industry, staff and partner agencies. Releasing to a
                state means its members; an exclusion must not be got round by way of the state's industry.

        Returns:
            A bit set, or None if the bundle does not know one of the subjects: unknown is never "no restriction".
        """
        mask = 0
        for subject in subjects:
            of_subject = self._of_subject(subject, every_kind=every_kind)
            if of_subject is None:
                return None
            mask |= of_subject
        return mask

    def ids(self, mask: int) -> tuple[str, ...]:
        """Name the agencies of a bit set, sorted."""
        names = []
        while mask:
            lowest = mask & -mask
            names.append(self.agencies[lowest.bit_length() - 1].agency)
            mask ^= lowest
        return tuple(names)

    def epoch(self, at_ms: int) -> int:
        """Number the span around a time inside which no membership and no key begins or ends."""
        return bisect.bisect_right(self._boundaries, at_ms)

    def active(self, at_ms: int) -> int:
        """Give the agencies that take part at a time."""

        def work_out() -> int:
            return sum(1 << place for place, agency in enumerate(self.agencies) if is_active(agency, at_ms))

        return self._active.get(self.epoch(at_ms), work_out)

    def knows_mechanism(self, mechanism: str) -> bool:
        """Tell whether the bundle names an agreement."""
        return mechanism in self._mechanisms

    def full_members(self, mechanism: str, at_ms: int) -> int:
        """Give the full members of an agreement on a date; an observer attends and does not receive.

        Of those who share on reciprocal terms, only who has contributed counts: a date on which nobody is on record
        as a contributor leaves none of them.
        """
        reciprocal = self.standing_in(mechanism, "reciprocal", at_ms)
        return self.standing_in(mechanism, "member", at_ms) | (
            reciprocal & self.standing_in(mechanism, "contributor", at_ms)
        )

    def standing_in(self, mechanism: str, standing: Standing, at_ms: int) -> int:
        """Give the agencies that have one standing in an agreement on a date."""

        def work_out() -> int:
            return self._union(
                (
                    membership.subject
                    for membership in self._mechanisms[mechanism].memberships
                    if membership.standing == standing
                    and membership.begin <= at_ms
                    and (membership.end is None or at_ms < membership.end)
                ),
                every_kind=False,
            )

        return self._standings.get((mechanism, standing, self.epoch(at_ms)), work_out)
