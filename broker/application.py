"""What the MQTT server asks of the application behind it, and what it hands to it.

The server knows packets, sessions and bounds; the application knows agencies, reports and the disk. These protocols
are all that either sees of the other, so each can be tested against a fake and neither imports the other.
"""

import enum
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What one CONNECT claims and proves; the server has already found all names in it equal.

    Args:
        client_id: The MQTT client id, which has the form of an agency id.
        username: The MQTT user name, equal to the client id, or None when the certificate alone names the agency.
        password: Never logged, never shown.
        certificate_name: Common name of the verified client certificate, None on a link without one.
    """

    client_id: str
    username: str | None
    password: bytes | None = field(repr=False)
    certificate_name: str | None


class Publication(enum.IntEnum):
    """How the application decided on a publish: the MQTT 5 reason code of its PUBACK (table 3-4)."""

    SUCCESS = 0x00
    UNSPECIFIED = 0x80
    IMPLEMENTATION_SPECIFIC = 0x83
    NOT_AUTHORISED = 0x87
    QUOTA_EXCEEDED = 0x97
    PAYLOAD_FORMAT_INVALID = 0x99


class Attachment(Protocol):
    """One live session whose agency listens on its own down topic."""

    @property
    def agency(self) -> str:
        """The agency id that was authenticated."""
        ...

    def send(self, payload: bytes) -> bool:
        """Publish the payload on the agency's down topic.

        Never blocks and never raises. A payload that the client said it cannot take is discarded as the standard
        asks (MQTT 5, 3.1.2.11.4) and counts as sent.

        Returns:
            False if the bounded send buffer is full or the session has ended; then nothing was sent.
        """
        ...

    async def drained(self) -> None:
        """Wait until the send buffer has room again, or the session has ended."""
        ...

    def close(self, reason: int) -> None:
        """Send DISCONNECT with this MQTT 5 reason code and close; harmless on a session that has ended."""
        ...


class Application(Protocol):
    """The need-to-know side of the broker.

    An exception out of one of the coroutines is a programmer's error: it reaches the owner of the server and ends it.
    """

    def authenticate(self, credentials: Credentials) -> str | None:
        """Return the agency id that the credentials prove, or None to refuse; called before any state is touched."""
        ...

    async def attached(self, attachment: Attachment) -> None:
        """Take up an agency whose subscription was granted; its earlier session, if any, is already detached."""
        ...

    async def published(self, agency: str, payload: bytes) -> Publication:
        """Decide on one publish; returns once the decision is on disk, and the PUBACK waits for it.

        Runs concurrently for up to ``ServerLimits.receive_maximum`` publishes of one session. The calls begin, and
        the PUBACKs go out, in the order in which the publishes arrived. If the session has a subscription, they begin
        after ``attached``.
        """
        ...

    async def detached(self, attachment: Attachment) -> None:
        """Let go of an agency; called once per ``attached``, after the last publish of that session is decided."""
        ...
