"""The community of an exercise from change to change: one bundle after the other, and which held at which time.

The same steps that a play signs and installs are made here from the pack alone, so that an evaluator judges each
release by the rules of its own time without a key of the play.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from policy.amendment import amend
from policy.community import Community
from scenarios.model import Change, Pack
from schemas.bundle import Bundle
from schemas.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of the bundle that comes into force in mid-play, Unix ms, and the change that brings it."""

    at_ms: int
    change: Change
    bundle: Bundle


def later_versions(pack: Pack, first: Bundle) -> Iterator[Version]:
    """Yield the versions that a pack's changes make of its first bundle, in the order of their times.

    Raises:
        InputError: If a change cannot be made; the loader has asked the same.
    """
    bundle = first
    for change in pack.changes:
        at_ms = pack.start_ms + change.time_ms
        bundle = amend(bundle, change.amendments, at_ms=at_ms)
        yield Version(at_ms=at_ms, change=change, bundle=bundle)


class Communities:
    """Which community held at which time.

    Args:
        first: From before STARTEX.
        later: Those that took its place, each with the time from which it holds, Unix ms, in order.
    """

    def __init__(self, first: Community, later: tuple[tuple[int, Community], ...] = ()) -> None:
        self._first = first
        self._later = later

    def at(self, at_ms: int) -> Community:
        """Return the community as of a time."""
        return next((community for begin, community in reversed(self._later) if begin <= at_ms), self._first)

    def of(self, version: int) -> Community:
        """Return the community of a version of the bundle.

        Raises:
            InputError: If there is none.
        """
        for community in (self._first, *(later for _, later in self._later)):
            if community.bundle.version == version:
                return community
        msg = f"the record tells of version {version} of the bundle, which the pack does not come to"
        raise InputError(msg, remedy="evaluate the record with the pack that was played")


def communities_of(pack: Pack, first: Bundle) -> Communities:
    """Compile a pack's first bundle and all that its changes make of it.

    Raises:
        InputError: If one does not hold together.
    """
    later = tuple((version.at_ms, Community.compile(version.bundle)) for version in later_versions(pack, first))
    return Communities(Community.compile(first), later)
