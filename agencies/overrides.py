"""Life-safety overrides, the synchronous half: a new message of position and danger, and never without its originator.

Nothing of the report that is overridden goes along, not even a quotation: what leaves is written anew, in a shape that
holds no more (docs/spec/envelope.md, "Overrides"). The originator of the report is one of its readers, in the same
release, so nobody can be told before it is.
"""

from agencies.drafts import OverrideDraft
from agencies.outgoing import NO_KEY_RULE, Moment, Outgoing, Released, describe
from agencies.state import HeldMessage
from policy.decide import decide
from policy.life_safety import may_invoke, override_label
from policy.verdict import Action
from schemas.codec import pack, read_shape
from schemas.errors import RemoteError, SealError
from schemas.label import Label
from schemas.limits import OVERRIDE_PADDED_BYTES_MAX, OVERRIDE_READERS_MAX
from schemas.workflow import OverrideContent


class Overrides(Outgoing):
    """What a node sends under a life-safety authority."""

    def override(self, draft: OverrideDraft, moment: Moment) -> Released:
        """Tell those who can help position and danger of a report that may not go on to them, and its originator.

        Args:
            draft: What is told, and of which report.
            moment: Now.

        Raises:
            SealError: If the report is not held, this agency may not invoke the authority, the text is too long, more
                readers are named than may be, or the originator could not be told.
            StoreError: If the disk is full; then nothing was accepted.
        """
        held = self._overridden(draft, moment)
        packed = _checked(draft.content)
        found, left_out = self._readers_of_override(draft, held.originator, moment)
        with self._store.transaction():
            why = {"act": draft.why.act, "order": draft.why.order, "reason": draft.why.reason, "cause": draft.why.cause}
            self._write("intended", moment, **why, to=list(draft.to), left_out=left_out)
            if not found:
                return Released(hid=None, audience={}, left_out=left_out)
            label = self._label(draft, (*found, held.originator))
            sealed = self._seal([(label, packed)], draft, moment)
            bits = dict.fromkeys(label.rel, sealed.bits([0]))
            self._store.keep_sealed(sealed)
            # A recall of the report reaches whom it was overridden for: what was wrong there is wrong here.
            self._store.derived.keep(sealed.hid, quotes=(), parents=[held.hid])
            due_ms = self._put_out(sealed, bits, moment, with_blobs=True)
            portions = [{"place": sealed.portions[0].place, **describe(label, draft.content)}]
            self._write(
                "released", moment, **why, hid=sealed.hid.hex(), kind="override", ref=held.hid.hex(), audience=bits,
                portions=portions,
            )  # fmt: skip
            self._write(
                "overrode", moment, hid=sealed.hid.hex(), of=held.hid.hex(), originator=held.originator,
                authority=draft.authority, office=draft.content.office, danger=draft.content.danger,
                readers=list(found),
            )  # fmt: skip
        return Released(hid=sealed.hid, audience=bits, left_out=left_out, due_ms=due_ms)

    def _overridden(self, draft: OverrideDraft, moment: Moment) -> HeldMessage:
        """Return the report that is overridden, once it is sure that this agency may."""
        held = self._store.held(draft.ref)
        if held is None or held.recalled or held.kind not in {"report", "answer"}:
            msg = f"{self._core.agency} holds no report {draft.ref.hex()[:16]} of another agency"
            raise SealError(msg, remedy="override a report that has come and was not recalled")
        community, agency = self._core.community, self._core.agency
        if not may_invoke(draft.authority, agency, at_ms=moment.at_ms, community=community):
            msg = f"{agency} may not invoke {draft.authority}"
            raise SealError(msg, remedy="ask a full member of that authority, or the originator for its consent")
        if self.missing_keys([held.originator], at_ms=moment.at_ms):
            msg = f"{held.originator} could not be told, so nothing of its report may be given away"
            raise SealError(msg, remedy="wait until its node has announced a box key")
        return held

    def _readers_of_override(
        self, draft: OverrideDraft, originator: str, moment: Moment
    ) -> tuple[tuple[str, ...], dict[str, str]]:
        """Return who gets it beside the originator, and the rule by each agency named that does not."""
        community, agency = self._core.community, self._core.agency
        meant = set(draft.to or community.ids(community.everyone)) - {agency, originator}
        left_out: dict[str, str] = {}
        for reader in sorted(meant):
            verdict = decide(
                self._label(draft, (reader, originator)),
                originator=agency,
                recipient=reader,
                action=Action.RELEASE,
                at_ms=moment.at_ms,
                community=community,
            )
            if not verdict.permit:
                left_out[reader] = verdict.rule
        found = sorted(meant - left_out.keys())
        left_out |= dict.fromkeys(self.missing_keys(found, at_ms=moment.at_ms), NO_KEY_RULE)
        found = sorted(meant - left_out.keys())
        if len(found) >= OVERRIDE_READERS_MAX:
            msg = f"{len(found)} readers, where an override has at most {OVERRIDE_READERS_MAX - 1} and the originator"
            raise SealError(msg, remedy="name those who can reach the place")
        return tuple(found), left_out

    def _label(self, draft: OverrideDraft, readers: tuple[str, ...]) -> Label:
        return override_label(
            authority=draft.authority,
            readers=tuple(sorted(readers)),
            affected=draft.affected,
            lowest_level=self._core.lowest_level,
        )


def _checked(content: OverrideContent) -> bytes:
    """Pack what is told, once it is sure that a router and every reader will take it."""
    packed = pack(content)
    try:
        read_shape(OverrideContent, tuple(content))
    except RemoteError as error:
        msg = f"the override cannot be sent: {error}"
        raise SealError(msg, remedy="shorten or correct that field") from error
    if len(packed) >= OVERRIDE_PADDED_BYTES_MAX:
        msg = f"an override of {len(packed)} bytes, where {OVERRIDE_PADDED_BYTES_MAX - 1} are the most"
        raise SealError(msg, remedy="say it in one short line")
    return packed
