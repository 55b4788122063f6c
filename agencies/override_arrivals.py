"""What arrives of life-safety overrides at the originator whose report was overridden: it is told at once (H16).

Runs where the node's store is used, inside the transaction that takes a frame up.
"""

from collections.abc import Iterable

from agencies.notices import Notice
from agencies.outgoing import Moment
from agencies.store import NodeStore
from schemas.label import Label
from schemas.workflow import OverrideContent
from sealing.opening import Content


def note_override(
    store: NodeStore,
    hid: bytes,
    opened: Iterable[tuple[Label, Content]],
    *,
    invoker: str,
    ref: bytes | None,
    moment: Moment,
) -> tuple[Notice, ...]:
    """Note that position and danger of a report of ours were given away, by an agency that we gave it to.

    Args:
        store: The node's database.
        hid: The message that came.
        opened: Its portions.
        invoker: Who sent it.
        ref: The report.
        moment: Now.

    Returns:
        What to tell the desk; nothing if it is no override, or not of ours.
    """
    if ref is None or invoker not in store.offered_to(ref):
        return ()
    notices: list[Notice] = []
    for label, content in opened:
        if isinstance(content, OverrideContent):
            store.journal.write(
                "overridden", at_ms=moment.at_ms, machine_ms=moment.machine_ms, hid=ref.hex(), by=hid.hex(),
                invoker=invoker, authority=label.topic, office=content.office, danger=content.danger,
                readers=[name for name in label.rel if name != store.agency],
            )  # fmt: skip
            text = f"{content.danger}, by {content.office} under {label.topic}"
            notices.append(
                Notice(word="overridden", at_ms=moment.at_ms, hid=ref, kind="override", readers=(invoker,), text=text)
            )
    return tuple(notices)
