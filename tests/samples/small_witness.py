"""One agency as a witness of a small router's log: its half of the protocol, and its own database."""

from pathlib import Path

from agencies.core import NodeCore
from agencies.keyring import Keys
from agencies.log_watch import LogWatch
from agencies.outgoing import Moment
from agencies.store import NodeStore
from conformance import world
from schemas.frames import CheckpointMessage, Cosign, Heartbeat, UpMessage
from sealing.notes import Checkpoint, log_origin, sign_checkpoint
from tests.samples.small_nodes import ring
from tests.samples.small_router import SmallRouter

ORIGIN = log_origin(world.ROUTER)


class SmallWitness:
    """An agency that follows a log and meets others; ``now_ms`` is its machine's clock."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.store = NodeStore.open(folder / f"{name}.sqlite", agency=name)
        self.core = NodeCore(keys=Keys(ring(name)), bundle=world.BUNDLE)
        self.now_ms = world.NOW
        self.restart()

    def restart(self) -> None:
        self.watch = LogWatch(core=self.core, store=self.store)
        self.witnessing = self.watch._witnessing
        self.meetings = self.watch._meetings

    @property
    def moment(self) -> Moment:
        return Moment(at_ms=world.NOW, machine_ms=self.now_ms)

    @property
    def note(self) -> bytes:
        """What it puts into its receipts."""
        note = self.store.witness.newest()
        assert note is not None
        return note

    def take(self, message: CheckpointMessage) -> list[Cosign]:
        with self.store.transaction():
            return self.witnessing.take(message, at_ms=world.NOW, machine_ms=self.now_ms)

    def promised(self) -> None:
        self.witnessing.promised(world.ROUTER, machine_ms=self.now_ms)

    def beat(self) -> None:
        if self.witnessing.beat():
            with self.store.transaction():
                self.witnessing.judge_promise(at_ms=world.NOW, machine_ms=self.now_ms)

    def meet(self, other: "SmallWitness", note: bytes | None = None) -> None:
        """Have a receipt of another come."""
        with self.store.transaction():
            self.meetings.meet(other.name, other.note if note is None else note, self.moment)

    def faults(self) -> list[str]:
        return [entry.fields["fault"] for entry in self.store.journal.entries() if entry.stage == "log_fault"]


def beat(router: SmallRouter, agency: str, *asks: UpMessage) -> list[CheckpointMessage]:
    """Have an agency's heartbeat come, a second after what was before; returns the checkpoints it is shown."""
    router.now_ms += 1_000
    sent = router.frame(agency, *asks, Heartbeat("heartbeat", router.now_ms, ())).sends.get(agency, [])
    return [message for message in sent if isinstance(message, CheckpointMessage)]


def shown(checkpoint: Checkpoint, *, old_size: int = 0, proof: tuple[bytes, ...] = ()) -> CheckpointMessage:
    """Return a checkpoint as the router's own key can sign any."""
    note = sign_checkpoint(checkpoint, signer=world.sign_pair(world.ROUTER))
    return CheckpointMessage("checkpoint", old_size, proof, note.packed())
