"""Messages that answer: who may send them, and to whom (docs/spec/envelope.md, "Questions", "Coordination").

Pure, like broker/core.py that asks it. An answer goes to the asker alone and comes from who was asked; a step of a
coordination has one reader, and refers to nothing but what both of them know.
"""

from typing import Final

from broker.state import KnownMessage, RouterState
from policy.affected import speaks_for
from policy.community import Community
from schemas.errors import Code, RemoteError
from schemas.frames import Refusal
from sealing.received import Received

ANSWER_RULE: Final = "NTK-ANSWER"
COORD_RULE: Final = "NTK-COORD"
AFFECTED_RULE: Final = "NTK-AFFECTED"


def check_exchange(received: Received, state: RouterState, community: Community) -> tuple[Refusal, ...]:
    """Check what a message answers; returns the readers that may not have it, whatever its labels say.

    Args:
        received: The message, its author and labels proved.
        state: The router's memory.
        community: Who is of which state.

    Raises:
        RemoteError: REFERENCE, the same whether what it names is unknown here or another's affair.
    """
    match received.header.kind:
        case "answer":
            return _check_answer(received, state)
        case "coord":
            return _check_coord(received, state, community)
        case _:
            return ()


def _check_answer(received: Received, state: RouterState) -> tuple[Refusal, ...]:
    header = received.header
    asked = None if header.ref is None else state.message(header.ref)
    # "A router MUST refuse an answer that does not refer to an RFI which was released to its sender."
    if header.ref is None or asked is None or asked.kind != "rfi" or header.by[0] not in state.past_readers(header.ref):
        msg = f"an answer to nothing that {header.by[0]} was asked"
        raise RemoteError(Code.REFERENCE, msg)
    return tuple(
        Refusal(0, wrap.to, ANSWER_RULE, "an answer goes to the asker alone")
        for wrap in received.wraps
        if wrap.to != asked.originator
    )


def _check_coord(received: Received, state: RouterState, community: Community) -> tuple[Refusal, ...]:
    header = received.header
    one, *others = received.wraps
    opened = None if header.ref is None else state.message(header.ref)
    if header.ref is not None:
        parties = set() if opened is None else {opened.originator, *state.past_readers(header.ref)}
        # Sender and reader both know it, or the reference itself would tell one of them that it exists.
        if not {header.by[0], one.to} <= parties:
            msg = f"a coordination that refers to nothing between {header.by[0]} and its reader"
            raise RemoteError(Code.REFERENCE, msg)
    if others:
        return tuple(Refusal(0, wrap.to, COORD_RULE, "a coordination has one reader") for wrap in others)
    if any(
        not speaks_for(portion.disclosure.label.affected, _who_asks(header.by[0], opened), community)
        for portion in received.portions
    ):
        return (Refusal(0, one.to, AFFECTED_RULE, "only the affected state asks for help; whoever helps answers it"),)
    return ()


def _who_asks(sender: str, opened: KnownMessage | None) -> tuple[str, ...]:
    """Name who stands behind a step: its sender, and the originator of the coordination that it answers."""
    return (sender,) if opened is None or opened.kind != "coord" else (sender, opened.originator)
