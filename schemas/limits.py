"""The protocol's limits and tolerances, each a named constant (docs/spec/envelope.md, "Limits").

Both ends of every hop use the same numbers, so they stand below all rooms. Each is tested at limit - 1, limit and
limit + 1. What a broker or a node may choose for itself (connections, queues, quotas) stands in its own room.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PROTOCOL_VERSION: Final = 1

FRAME_BYTES_MAX: Final = 1024 * 1024  # the packet limit most MQTT brokers ship with lies at or above this
FRAME_MESSAGES_MAX: Final = 256  # a frame gathers what a few milliseconds bring
ENVELOPE_BYTES_MAX: Final = 256 * 1024
HEADER_BYTES_MAX: Final = 4 * 1024  # 16 signers and 32 commitments take 1.7 KiB
DISCLOSURE_BYTES_MAX: Final = 4 * 1024  # a label whose six lists are full takes more: such a label is refused
BUNDLE_BYTES_MAX: Final = 768 * 1024  # leaves room for its frame; 1,000 agencies take about 250 KiB
NESTING_DEPTH_MAX: Final = 1_024  # where msgpack's reader stops; no shape of ours is deeper than eight
ARRAY_ITEMS_MAX: Final = 4_096  # the longest list of any shape is that of a text's passages

AGENCY_ID_CHARS_MAX: Final = 32  # an id is also an MQTT client id and a topic level
SIGNERS_MAX: Final = 16
PORTIONS_MAX: Final = 32  # also the width of the bit mask in a wrap
PORTION_PLACES: Final = (1, 2, 4, 8, 16, 32)  # a header shows one of these counts, never the true one
# What has labels of its own shows at least so many: a tear-line report of two portions then looks like one that never
# had a part above the line. Four hold nearly every report; each place costs 34 bytes.
LABELLED_PLACES_MIN: Final = 4
INLINE_BYTES_MAX: Final = 64 * 1024  # a larger portion travels in chunks
WRAPS_MAX: Final = 1_000
CHUNK_BYTES_MAX: Final = 256 * 1024
CHUNKS_MAX: Final = 1_024

PADDING_BLOCK_BYTES: Final = 256  # sizes are seen in steps of this
SALT_BYTES: Final = 16
DECOY_SEED_BYTES: Final = 32
PORTION_KEY_BYTES: Final = 32
HASH_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
SIGN_KEY_BYTES: Final = 32
BOX_KEY_BYTES: Final = 32

LIFETIME_MS_MAX: Final = 30 * 24 * 3_600_000  # seen ids can be forgotten after this and the skew
CLOCK_SKEW_MS_MAX: Final = 5 * 60_000  # what Kerberos allows, and what an unattended node drifts
REPLAY_WINDOW_MESSAGES: Final = 1_024  # sequence numbers per originator that a reader remembers
SEQUENCE_SKIP: Final = 256  # left out after a disk was put back; so little that what is under way stays in the window
DELIVERY_WINDOW: Final = 64  # un-acked deliveries per reader
BOX_EPOCH_MS: Final = 7 * 24 * 3_600_000  # one week
BOX_EPOCH_OVERLAP_MS: Final = 24 * 3_600_000  # the old key still opens for this long
CHECKPOINT_BYTES_MAX: Final = 4 * 1024  # text and the log's own signatures; cosignatures do not travel with it
RECEIPT_ITEMS_MAX: Final = 64  # receipts gathered into one message
RECEIPT_GATHER_MS: Final = 1_000
TAILS_MAX: Final = 64  # last numbers that a heartbeat tells: as many readers as a window has deliveries
HEARTBEAT_MS: Final = 30_000  # what NAT gateways keep a silent link for at least
SILENCE_MS: Final = 100_000  # three heartbeats, and what a slow link adds
# By precedence, how long an author waits for a reader's receipt before it is called overdue: the speed of service that
# military message handling promises from writer to reader (ACP 121), and so what those who chose the word count on.
RECEIPT_DUE_MS: Final[Mapping[str, int]] = MappingProxyType(
    {"FLASH": 10 * 60_000, "IMMEDIATE": 30 * 60_000, "PRIORITY": 3 * 3_600_000, "ROUTINE": 6 * 3_600_000}
)

# A silence procedure: members need time to read what they might object to, and what they did not object to is let go
# soon or not at all, or it would be another matter by then.
SILENCE_PROCEDURE_MS_MIN: Final = 10 * 60_000
PERMISSION_MS: Final = 24 * 3_600_000

# A life-safety override: what leaves without its originator's consent is bounded in words and in readers, by what a
# router can count without reading.
OVERRIDE_PADDED_BYTES_MAX: Final = 512  # two steps of padding: a code, a position, a time, an office and one line
OVERRIDES_MAX: Final = 8  # of one report by one agency: where a boat has drifted to, and not the report in pieces
OVERRIDE_READERS_MAX: Final = 16  # who can reach a place in distress, and the originator

# Deconfliction: how much one agency can learn of another by guessing is what these four allow, and no less.
DECONFLICT_POINTS: Final = 16  # of every ask, whatever is asked: a party looks for a few boats or people, not for lists
DECONFLICT_HELD_CLASSES: Final = (64, 256, 1_024)  # a reply has one of these sizes; 1,024 points still travel inline
DECONFLICT_ASKS_MAX: Final = 4  # of one partner in DECONFLICT_ASKS_MS: 64 guesses an hour
DECONFLICT_ASKS_MS: Final = 3_600_000

LABEL_ITEMS_MAX: Final = 64  # compartments, mechanisms, releases, exclusions, caveats, affected states
CONTENT_BYTES_MAX: Final = 4 * 1024 * 1024  # one portion's plaintext; above INLINE_BYTES_MAX it travels in chunks
TEXT_CHARS_MAX: Final = 1_000_000  # one run of text
PASSAGES_MAX: Final = 4_096
INDICATORS_MAX: Final = 4_096
UINT_MS_MAX: Final = 2**53 - 1  # the largest integer that every language's reader keeps exact
