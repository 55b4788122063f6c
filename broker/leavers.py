"""What is queued for a reader that a new bundle does not let have it any more: who left, or is cleared for less.

"Leaving stops new traffic" (handling rule H18): what has not gone out yet is new to its reader, so every queued
delivery is decided once more by the version that has come into force (docs/spec/router.md, "Revocation").
"""

from collections.abc import Collection, Iterator
from typing import Final

from broker.core import RouterCore
from broker.store import Store, read_wrap
from schemas.label import Label

# A recall only takes away, and an override of life safety was not decided by the rules: no change of them ends either.
_KEPT_KINDS: Final = frozenset({"recall", "override"})


def forbidden_rows(store: Store, core: RouterCore, *, linked: Collection[str], now_ms: int) -> Iterator[int]:
    """Yield the numbers of the queue's rows that hold a portion which their reader may not have now.

    Args:
        store: The router's memory.
        core: With the version in force.
        linked: Readers with a session: what has its number is on its way to them, and cannot be stopped.
        now_ms: Unix ms.
    """
    of, labels = b"", dict[int, Label]()
    for row in store.queued():
        if row.kind in _KEPT_KINDS or (row.is_numbered and row.reader in linked):
            continue
        if row.hid != of:
            # The rows of one release stand together.
            of, labels = row.hid, store.labels(row.hid)
        if not core.still_permits(labels, read_wrap(row.wrap), originator=row.originator, now_ms=now_ms):
            yield row.number
