"""What a session can be and what it can say: its phases, and the events that the shell acts upon."""

import enum
from dataclasses import dataclass, field

from broker.incoming import Ticket


class Phase(enum.Enum):
    """Where a session stands; it only ever moves down this list."""

    AWAITING_CONNECT = "awaiting-connect"
    AUTHENTICATING = "authenticating"
    OPEN = "open"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAsked:
    """A CONNECT came; nothing more is read until ``admit`` or ``refuse_login``."""

    client_id: str
    username: str | None
    password: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishArrived:
    """A publish on the agency's own up topic; the shell answers with ``settle``."""

    ticket: Ticket
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SubscriptionGranted:
    """The agency listens on its own down topic from now on."""


@dataclass(frozen=True, slots=True)
class SubscriptionEnded:
    """The agency has unsubscribed; its session goes on."""


@dataclass(frozen=True, slots=True)
class Handled:
    """A packet was dealt with here; said so that the shell can give others their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The session is over; once what is left to write is written, the link is closed.

    Args:
        outcome: One word for the log.
        reason: The MQTT reason code that was sent, None where the peer gets no answer.
    """

    outcome: str
    reason: int | None


Event = LoginAsked | PublishArrived | SubscriptionGranted | SubscriptionEnded | Handled | Ended
