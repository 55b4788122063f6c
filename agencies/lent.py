"""What a node lends to the parts of its acts that have a file of their own: its disk, its link and its clocks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agencies.lookups import KeyLookups
from agencies.outgoing import Moment, Released
from agencies.store import NodeStore
from agencies.turns import DiskTurns

Send = Callable[[Callable[[], Released]], Awaitable[Released]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """What a release needs of its node.

    Attributes:
        store: The node's database.
        turns: The thread that it is used on.
        lookups: Finds box keys.
        send: Puts a release into the outbox and has it sent.
        moment: Reads the clocks.
    """

    store: NodeStore
    turns: DiskTurns
    lookups: KeyLookups
    send: Send
    moment: Callable[[], Moment]
