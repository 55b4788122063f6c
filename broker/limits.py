"""The server's limits: what one peer, and all peers together, may cost before anything is refused.

Nothing here is unlimited, and each bound has a named answer when it is reached. The protocol's own limits, which both
ends of a hop share, stand in ``schemas.limits``.
"""

from dataclasses import dataclass, fields
from typing import Final

from schemas.errors import UsageError
from schemas.limits import FRAME_BYTES_MAX

_UINT16_MAX: Final = 0xFFFF  # both fields are two byte integers in a CONNACK


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Bounds of the embedded MQTT server; all positive.

    Raises:
        UsageError: If a bound is not positive, or two bounds contradict each other.
    """

    # A frame, its topic, and a few KiB of properties that foreign clients like to add. Answer: DISCONNECT 0x95.
    packet_bytes_max: int = FRAME_BYTES_MAX + 4 * 1024
    # Client id and user name of 32 characters, a long token as password, some properties. Answer: closed, unanswered.
    connect_bytes_max: int = 4 * 1024
    # A TLS handshake and a CONNECT take three round trips; a slow satellite link needs 2 s. Answer: closed, unanswered.
    connect_ms_max: int = 10_000
    # A thousand agencies, and room for those that come back before their old link is known dead. Answer: closed unread.
    connections_max: int = 1_200
    # Links that have not logged in yet, each worth a TLS handshake of some 50 KiB. Answer: the oldest one is dropped.
    strangers_max: int = 64
    # Half a minute is what NAT gateways keep at least, and dead links are found within 1.5 times this. Answer: 0x8D.
    keep_alive_s_max: int = 60
    # Publishes of one session that await their decision; paho keeps 20 in flight by default. Answer: DISCONNECT 0x93.
    receive_maximum: int = 32
    # Bytes of one session that await their decision: four whole frames. Answer: the session is not read for a while.
    deciding_bytes_max: int = 4 * FRAME_BYTES_MAX
    # The same over all sessions, so that a thousand agencies cannot fill the memory. Answer: PUBACK 0x97.
    deciding_bytes_total_max: int = 64 * FRAME_BYTES_MAX
    # Unsent deliveries of one session: two whole frames. Answer: ``send`` returns False until it has drained.
    send_bytes_max: int = 2 * FRAME_BYTES_MAX + 8 * 1024
    # The same over all sessions. Answer: ``send`` returns False until half of it has drained.
    send_bytes_total_max: int = 256 * FRAME_BYTES_MAX
    # Unread answers (PUBACK, PINGRESP) of one session; a peer that reads never leaves 1 KiB. Answer: it is not read.
    answer_bytes_max: int = 64 * 1024
    # Packets handled for one peer before the others have their turn: under a millisecond. Answer: the rest waits.
    packets_per_turn_max: int = 128
    # How long a peer may take to read our last packet and to close. Answer: the link is cut.
    linger_ms_max: int = 2_000
    # How long a stop waits for decisions that are being written to disk. Answer: they are cancelled, unacknowledged.
    stop_ms_max: int = 5_000
    # One sweep over all sessions looks for deadlines; a finer one finds nothing that matters to anybody.
    sweep_ms: int = 500

    def __post_init__(self) -> None:
        """Refuse bounds that cannot be kept."""
        for bound in fields(self):
            if getattr(self, bound.name) < 1:
                msg = f"the server limit {bound.name} must be positive"
                raise UsageError(msg, remedy=f"leave {bound.name} out to have {bound.default}")
        if self.receive_maximum > _UINT16_MAX or self.keep_alive_s_max > _UINT16_MAX:
            msg = "the server limits receive_maximum and keep_alive_s_max must fit 16 bits"
            raise UsageError(msg, remedy="choose at most 65535")
        # A refused ``send`` must mean that more than half is in use, since room is told again below half.
        if self.send_bytes_max < 2 * self.packet_bytes_max or self.send_bytes_total_max < self.send_bytes_max:
            msg = "the server limits on send bytes do not hold two packets"
            raise UsageError(msg, remedy="raise send_bytes_max and send_bytes_total_max to twice packet_bytes_max")
