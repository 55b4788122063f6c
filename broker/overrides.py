"""Life-safety overrides at the router: bound to a report, bounded in size, and never without its originator (H16).

The label is judged by policy like any other (policy/life_safety.py). What stands here is what a label cannot say:
that the sender holds the report, that the sealed text is too short to be it, and that its originator gets the same
copy in the same transaction (docs/spec/router.md, "Overrides"). Pure, like broker/core.py that asks it.
"""

from typing import Final

from broker.state import Overridden, RouterState
from policy.life_safety import NOTICE_RULE
from schemas.errors import Code, RemoteError
from schemas.frames import Refusal
from schemas.label import Label
from schemas.limits import OVERRIDE_PADDED_BYTES_MAX, OVERRIDES_MAX
from sealing.portions import INLINE_OVERHEAD_BYTES
from sealing.received import Received

READERS_RULE: Final = "NTK-OVERRIDE-READERS"
_BLOB_BYTES_MAX: Final = OVERRIDE_PADDED_BYTES_MAX + INLINE_OVERHEAD_BYTES


def check_override(received: Received, state: RouterState) -> Overridden | None:
    """Check what an override is of, and that it can hold no more than one; None for any other message.

    Raises:
        RemoteError: REFERENCE, the same whether the report is unknown here or the sender never had it; RECALLED.
    """
    header = received.header
    if header.kind != "override":
        return None
    label = _only_label(received)
    known = None if header.ref is None else state.message(header.ref)
    # "A router MUST refuse an override that does not refer to a report which was released to its sender."
    if (
        header.ref is None
        or known is None
        or known.kind not in {"report", "answer"}
        or header.by[0] == known.originator
        or header.by[0] not in state.past_readers(header.ref)
    ):
        msg = f"an override of nothing that {header.by[0]} was given"
        raise RemoteError(Code.REFERENCE, msg)
    # What its originator has taken back may be wrong, and its holder has erased it.
    if known.recalled:
        msg = "the report that is overridden was recalled by its originator"
        raise RemoteError(Code.RECALLED, msg)
    # "A router MUST refuse more than OVERRIDES_MAX overrides of one message by one agency": short texts add up.
    if state.message(received.hid) is None and state.overrides_of(header.ref, by=header.by[0]) >= OVERRIDES_MAX:
        msg = f"{header.by[0]} has overridden this report {OVERRIDES_MAX} times"
        raise RemoteError(Code.REFERENCE, msg)
    return Overridden(hid=header.ref, originator=known.originator, authority=label.topic)


def unfit_readers(received: Received, overridden: Overridden) -> tuple[Refusal, ...]:
    """Return why the readers of an override are not those that they must be: the originator, and all it names."""
    readers = {wrap.to for wrap in received.wraps}
    named = set(_only_label(received).rel)
    reason = "an override goes to exactly the readers that its label names"
    refusals = [Refusal(0, reader, READERS_RULE, reason) for reader in sorted(readers ^ named)]
    if overridden.originator not in readers:
        refusals.append(Refusal(0, overridden.originator, NOTICE_RULE, "the originator is not told"))
    return tuple(refusals)


def _only_label(received: Received) -> Label:
    """Return the label of an override's one portion, which is sealed in so many bytes that it cannot be a report."""
    if len(received.header.por) != 1 or len(received.portions) != 1 or len(received.header.by) != 1:
        msg = "an override has one portion and one signer"
        raise RemoteError(Code.REFERENCE, msg)
    portion = received.portions[0]
    if portion.disclosure.chunks or (portion.blob is not None and len(portion.blob) > _BLOB_BYTES_MAX):
        msg = "an override holds more than position and danger"
        raise RemoteError(Code.REFERENCE, msg)
    return portion.disclosure.label
