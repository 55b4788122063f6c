"""Everything one decision depends on but the community, as a value: so it can be asked again with a change."""

from dataclasses import dataclass

from policy.community import Community
from policy.decide import decide
from policy.verdict import Action, Verdict
from schemas.label import Label
from schemas.workflow import Grant, Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Enquiry:
    """The arguments of ``decide``, under the same names."""

    label: Label
    originator: str
    recipient: str
    at_ms: int
    action: Action = Action.RELEASE
    expires_ms: int | None = None
    via: str | None = None
    hid: bytes | None = None
    bit: int | None = None
    original_audience: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()
    permissions: tuple[Permission, ...] = ()

    def decide(self, community: Community) -> Verdict:
        """Decide it by the rules of a community."""
        return decide(
            self.label,
            originator=self.originator,
            recipient=self.recipient,
            action=self.action,
            at_ms=self.at_ms,
            community=community,
            expires_ms=self.expires_ms,
            via=self.via,
            hid=self.hid,
            bit=self.bit,
            original_audience=self.original_audience,
            grants=self.grants,
            permissions=self.permissions,
        )
