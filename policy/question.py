"""What is to be decided, with the parties already looked up, and the shape of a test that helps to decide it."""

from dataclasses import dataclass
from typing import Protocol

from policy.community import Community
from policy.verdict import Action, Reason
from schemas.bundle import Agency
from schemas.label import Label
from schemas.workflow import Grant, Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May a recipient have this portion, now, by this way?

    Attributes:
        label: The portion's label, already known to be well made.
        originator: Whose portion it is.
        action: Who hands it on.
        at_ms: When, Unix ms.
        community: By whose rules.
        expires_ms: When the report lapses, or None.
        via: Who hands it on if the action is ONWARD.
        hid: The report's hash, for grants.
        bit: The portion's place in the report, for grants.
        original_audience: Who had the portion from its originator.
        grants: The originator's consents known to whoever asks.
        permissions: What members let go to partners by their silence, as far as whoever asks knows.
    """

    label: Label
    originator: Agency
    action: Action
    at_ms: int
    community: Community
    expires_ms: int | None = None
    via: str | None = None
    hid: bytes | None = None
    bit: int | None = None
    original_audience: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()
    permissions: tuple[Permission, ...] = ()

    @property
    def is_onward(self) -> bool:
        """Tell whether somebody else than the originator hands the portion on."""
        return self.action is Action.ONWARD and self.via != self.originator.agency

    def consented_to(self, recipient: str) -> bool:
        """Tell whether the originator gave this portion to a recipient itself, or grants it at this time."""
        return recipient in self.original_audience or self.granted_to(recipient)

    def granted_to(self, recipient: str) -> bool:
        """Tell whether a grant of the originator names this portion and recipient, and runs at this time."""
        return any(
            grant.hid == self.hid
            and self.bit is not None
            and grant.bits >> self.bit & 1
            and grant.originator == self.originator.agency
            and grant.reader == recipient
            and grant.begin <= self.at_ms < grant.expires
            for grant in self.grants
        )


class HandlingTest(Protocol):
    """One built-in test, told twice: for one recipient with its reasons, and for all at once as a bit set.

    The two tellings are written apart on purpose, and a property test holds them equal for every agency.
    """

    @property
    def rule(self) -> str:
        """The stable id, ``NTK-…``."""

    @property
    def cites(self) -> str:
        """The handling rule it enforces."""

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Test one recipient; None if the label does not ask for this test."""

    def mask(self, question: Question) -> int:
        """Give the agencies that pass when the originator itself releases."""
