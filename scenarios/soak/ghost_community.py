"""Which bundle each node and the router holds, as their own databases say; versions never fall."""

from policy.community import Community
from scenarios.soak.reference import BROKER


class Bundles:
    """The versions of the community bundle in one run.

    Args:
        community: The first one, compiled for the ghost alone.
    """

    def __init__(self, community: Community) -> None:
        self._communities = {1: community}
        self._held: dict[str, int] = {}  # versions, by node and broker
        self.revoked: set[str] = set()  # by the bundle that the router has in force
        self.revoked_anywhere: set[str] = set()  # by any bundle that was signed

    def learn(self, version: int, community: Community, revoked: str) -> None:
        """Be told of a later bundle before anybody else is."""
        self._communities[version] = community
        self.revoked_anywhere.add(revoked)

    @property
    def first(self) -> Community:
        """What held before anybody was revoked."""
        return self._communities[1]

    def of(self, owner: str) -> Community:
        """Return what a node or the broker judges by."""
        return self._communities[self._held.get(owner, 1)]

    def lost(self, before: int, version: int) -> list[str]:
        """Return the agencies that a version no longer calls active and the one before it did, in order."""
        then, now = (
            {item.agency for item in self._communities[held].bundle.agencies if item.status == "active"}
            for held in (before, version)
        )
        return sorted(then - now)

    def install(self, owner: str, version: int) -> int:
        """Take in that somebody judges by this version from now on; returns the version before."""
        before = self._held.get(owner, 1)
        self._held[owner] = version
        if owner == BROKER:
            bundle = self._communities[version].bundle
            self.revoked = {item.agency for item in bundle.agencies if item.status != "active"}
        return before
