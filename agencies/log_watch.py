"""What a node does with the router's log: follows it as a witness, and compares what it sees with what others saw."""

from agencies.core import NodeCore
from agencies.meetings import Meetings
from agencies.outgoing import Moment
from agencies.state import Accepted
from agencies.store import NodeStore
from agencies.witness import Witnessing
from schemas.frames import CheckpointMessage, Cosign
from schemas.workflow import ReceiptContent


class LogWatch:
    """Takes checkpoints from the log and from receipts; runs on the thread that has the node's store."""

    def __init__(self, *, core: NodeCore, store: NodeStore) -> None:
        self._store = store
        self._witnessing = Witnessing(
            core=core, table=store.witness, journal=store.journal, quarantine=store.quarantine
        )
        self._meetings = Meetings(self._witnessing)
        self._repeated = b""  # the note to which the proof from what is kept here was asked for last

    def begin_session(self) -> None:
        """Note a new link: what was promised or asked for on the last one is waited for anew."""
        self._witnessing.begin_session()
        self._meetings.begin_session()
        self._repeated = b""

    def take_back(self) -> None:
        """Note that what was put down last may be on no disk."""
        self._witnessing.take_back()
        self._meetings.take_back()

    def promised(self, router: str, moment: Moment) -> None:
        """Note that a verdict came, whose leaf a checkpoint of its router must soon cover."""
        self._witnessing.promised(router, machine_ms=moment.machine_ms)

    def beat(self, moment: Moment) -> list[Cosign]:
        """Note a heartbeat of ours, by which the log has to have shown what it promised; returns what to ask it.

        Raises:
            DiskFullError: If it has not, and there is no room to put that down.
        """
        promise_is_over, proof_is_over = self._witnessing.beat(), self._meetings.beat()
        if promise_is_over or proof_is_over:
            with self._store.transaction():
                if promise_is_over:
                    self._witnessing.judge_promise(at_ms=moment.at_ms, machine_ms=moment.machine_ms)
                if proof_is_over:
                    self._meetings.judge_silence(moment)
        return self._meetings.ask()

    def take(self, message: CheckpointMessage, moment: Moment) -> list[Cosign]:
        """Take a checkpoint that the log shows; inside a transaction.

        Returns:
            The cosignature, or what is wanted instead.
        """
        if self._meetings.take(message, moment):
            return []
        answers = self._witnessing.take(message, at_ms=moment.at_ms, machine_ms=moment.machine_ms)
        if all(answer.line is not None for answer in answers):
            return answers
        # The proof led from elsewhere. The right one is asked for once for each tree: other proofs that lead to it come
        # along, for what was met, and count for nothing before this node keeps that tree itself.
        if message.note == self._repeated:
            return []
        self._repeated = message.note
        return answers

    def meet(self, receipt: Accepted, moment: Moment) -> None:
        """Take what a message of receipts says that its sender was shown; inside a transaction."""
        for portion in receipt.portions:
            if isinstance(portion.content, ReceiptContent) and portion.content.checkpoint is not None:
                self._meetings.meet(receipt.originator, portion.content.checkpoint, moment)
