"""Quotas: how much one agency may send, so that a flood by one does not become everybody's delay.

A token bucket for messages and one for bytes, each per agency. Reaching either is answered with "quota exceeded"
(0x97); the author's outbox keeps the frame and sends it again, so nothing is lost. A verdict would settle the release
and lose it, so there is none with QUOTA: that code stands in the router's record and log (docs/spec/router.md).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaLimits:
    """What one agency may send, and how much the router holds for one reader."""

    # A busy desk writes a report a minute; a gateway at machine speed is slowed only when it keeps this up.
    messages_per_s: int = 2_000
    messages_burst: int = 10_000
    bytes_per_s: int = 16 * 1024 * 1024
    bytes_burst: int = 128 * 1024 * 1024
    # A reader that is away for a month at a hundred reports an hour.
    queue_rows_max: int = 100_000
    # Attachments of one author that are not yet complete or expired.
    chunk_bytes_max: int = 512 * 1024 * 1024


class Quotas:
    """The buckets of all agencies; an agency that has been quiet takes no memory."""

    def __init__(self, limits: QuotaLimits) -> None:
        self._limits = limits
        self._spent: dict[str, tuple[float, float, int]] = {}  # messages, bytes in the bucket's debt, at ms

    def charge(self, agency: str, *, messages: int, size: int, now_ms: int) -> bool:
        """Take a frame out of the agency's buckets; False, and nothing taken, if they do not hold it.

        Args:
            agency: Who sends.
            messages: How many messages the frame holds.
            size: The frame's bytes.
            now_ms: Real time in milliseconds, since it is the machine that is protected.
        """
        limits = self._limits
        spent_messages, spent_bytes, at_ms = self._spent.get(agency, (0.0, 0.0, now_ms))
        passed_s = max(0, now_ms - at_ms) / 1000
        spent_messages = max(0.0, spent_messages - passed_s * limits.messages_per_s)
        spent_bytes = max(0.0, spent_bytes - passed_s * limits.bytes_per_s)
        if spent_messages + messages > limits.messages_burst or spent_bytes + size > limits.bytes_burst:
            self._spent[agency] = (spent_messages, spent_bytes, now_ms)
            return False
        self._spent[agency] = (spent_messages + messages, spent_bytes + size, now_ms)
        return True

    def forget_idle(self, *, now_ms: int, idle_ms: int = 60_000) -> None:
        """Drop the buckets of agencies that have not sent for a while; theirs are full again."""
        for agency in [name for name, (_, _, at_ms) in self._spent.items() if now_ms - at_ms > idle_ms]:
            del self._spent[agency]


class Throttled:
    """Who is over its quota: news of it once in a while for each agency, however often it tries.

    A record and a line for each frame that is refused would be a flood of their own.

    Args:
        every_ms: How often it is news again.
    """

    def __init__(self, *, every_ms: int = 60_000) -> None:
        self._every_ms = every_ms
        self._told_ms: dict[str, int] = {}  # one for each agency that was ever over its quota: a thousand at most

    def is_news(self, agency: str, *, now_ms: int) -> bool:
        """Tell whether an agency that is over its quota now has not been told of lately."""
        told_ms = self._told_ms.get(agency)
        # A clock that was set back must not silence it for as long as it was ahead.
        if told_ms is not None and 0 <= now_ms - told_ms < self._every_ms:
            return False
        self._told_ms[agency] = now_ms
        return True

    def untold(self, agency: str) -> None:
        """Take back that an agency was told of: what was to say so could not be written, and it stays news."""
        self._told_ms.pop(agency, None)
