"""The deciding core of a router in the small community of the conformance vectors, and what is asked of it.

It has neither disk nor session; a memory that a test hands in keeps what was admitted.
"""

from typing import Any

from broker.core import Identity, RouterCore
from broker.state import Admitted, Decided, Refused
from conformance import world
from conformance.evil_book import envelope, sealed
from conformance.memory import MemoryState
from schemas.frames import RouterVerdict
from sealing.statements import read_verdict

NOW = world.NOW


def router() -> RouterCore:
    core = RouterCore(identity=Identity(router=world.ROUTER, signer=world.sign_pair(world.ROUTER)), bundle=world.BUNDLE)
    for announcement in world.announcements():
        core.boxes.readmit(announcement, signers=core.signers)
    return core


def decide(
    made: bytes,
    *,
    sender: str = "alpha",
    now: int = NOW,
    state: MemoryState | None = None,
    core: RouterCore | None = None,
) -> Decided:
    """Hand the router an envelope, and have its memory keep what it admits."""
    state = state or MemoryState()
    decided = (core or router()).admit(made, sender=sender, now_ms=now, state=state)
    if isinstance(decided, Admitted):
        state.keep(decided)
    return decided


def refused(made: bytes, **how: Any) -> Refused:
    decided = decide(made, **how)
    assert isinstance(decided, Refused)
    return decided


def verdict_of(decided: Refused | Admitted) -> RouterVerdict:
    """Return the verdict that the author gets, proved by the router's signature."""
    assert decided.message is not None
    return read_verdict(decided.message, bundle=world.BUNDLE, now_ms=NOW)


def after_alpha(made: bytes, *, sender: str = "alpha", now: int = NOW) -> Decided:
    """Decide on something after an honest report of alpha's to bravo and charlie."""
    state = MemoryState()
    assert isinstance(decide(envelope(), state=state), Admitted)
    return decide(made, sender=sender, now=now, state=state)


def first_hid() -> bytes:
    return sealed()[0].hid


def recall(**changes: Any) -> bytes:
    readers = (("bravo", ()), ("charlie", ()))
    return envelope(
        **{"name": "recall", "kind": "recall", "ref": first_hid(), "labels": (), "readers": readers, **changes}
    )


def with_agency(name: str, **changes: Any) -> Any:
    agencies = tuple(item._replace(**changes) if item.agency == name else item for item in world.BUNDLE.agencies)
    return world.BUNDLE._replace(agencies=agencies)


def answer_to(reader: str) -> Decided:
    """Have golf, whom alpha asks to co-sign, answer with the topic of co-signatures."""
    joint, shown = sealed(by=("alpha", "golf"), labels=(world.LABEL,), readers=(("golf", (0,)),))
    label = world.LABEL._replace(topic="workflow.cosign")
    made = envelope(name="c", kind="cosign", by=("golf",), ref=joint.hid, labels=(label,), readers=((reader, (0,)),))
    state = MemoryState()
    assert isinstance(decide(shown, state=state), Admitted)
    return decide(made, sender="golf", state=state)
