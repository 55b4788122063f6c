"""What originators say of their last numbers, handed to each reader once nothing of its queue is left behind it.

Told earlier, it would raise an alarm over what is only waiting here. It is kept in memory alone and the newest only:
an originator says it again on every heartbeat, until the receipt has come (docs/spec/envelope.md, "Sequence").
"""

from collections.abc import Callable, Iterable
from typing import Final

from schemas.frames import DownMessage, Tail, TailMessage

_KEPT_PER_READER_MAX: Final = 256  # of a reader that is away; whoever finds no room says it again within a minute


class Tails:
    """The newest tail of each pair that its reader has not been shown."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, TailMessage]] = {}  # by reader and originator

    def take(self, originator: str, tails: Iterable[Tail], *, at: int) -> None:
        """Take what an originator says on a heartbeat."""
        for tail in tails:
            kept = self._kept.setdefault(tail.to, {})
            if originator in kept or len(kept) < _KEPT_PER_READER_MAX:
                kept[originator] = TailMessage(
                    "tail", originator, tail.from_epoch, tail.to_epoch, tail.seq, at, tail.proof
                )

    def show(self, send: Callable[[str, DownMessage], None], *, ready: Callable[[str], bool]) -> None:
        """Send each reader that is ready what was said to it: ready is who is linked and has all that is queued."""
        for reader in [name for name in sorted(self._kept) if ready(name)]:
            for _, message in sorted(self._kept.pop(reader).items()):
                send(reader, message)
