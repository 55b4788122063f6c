"""A node as one of two witnesses that meet: was the other shown the same log?

Two histories of a log can each be sound, and a router that shows each agency its own fools both. But readers and
originators meet behind its back: a receipt carries the checkpoint that its reader keeps, sealed and signed, so that a
router can hold it back, which shows, and not change it. With its next heartbeat the originator asks the log for the
proof that the tree which it keeps itself grew from the other's, and whoever shows two histories has none
(docs/spec/audit.md, "Witnesses that meet").

What is under way is kept in memory alone: after a restart the next receipt brings another.
"""

from dataclasses import dataclass, replace
from typing import Final

from agencies.outgoing import Moment
from agencies.witness import Witnessing
from schemas.errors import LogError, LogFault
from schemas.frames import CheckpointMessage, Cosign
from schemas.limits import CHECKPOINT_BYTES_MAX
from sealing.notes import Checkpoint, read_checkpoint, read_note
from sealing.witness import Witnessed, check_met, read_shown

_ASKED_MOST: Final = 16  # at once, so that a slow line is not full of proofs; the others with the next heartbeat
_BEATS_MOST: Final = 3  # the first is answered, unless the log did not know what this node keeps; then the next is


@dataclass(slots=True)
class _Met:
    """What another agency was shown, its note as it came, and how many heartbeats ago the log was asked about it."""

    agency: str
    shown: Checkpoint
    note: bytes
    beats: int = 0


class Meetings:
    """The checkpoints of others that are still to be compared, of each agency the newest.

    Args:
        witnessing: What this node keeps of the log; faults are put down there.
    """

    def __init__(self, witnessing: Witnessing) -> None:
        self._witnessing = witnessing
        # By agency, so there are no more of them than the bundle has agencies.
        self._met: dict[str, _Met] = {}  # the longest waiting first
        self._asked: dict[str, _Met] = {}
        self._settled: dict[str, bytes] = {}  # the note that was compared last

    def begin_session(self) -> None:
        """Note a new link: what the last one has not answered is asked anew."""
        self._met = {met.agency: replace(met, beats=0) for met in self._asked.values()} | self._met
        self._asked = {}

    def take_back(self) -> None:
        """Note that what was put down last may be on no disk: what has been compared is, when it is met again."""
        self._settled.clear()

    def meet(self, agency: str, note: bytes, moment: Moment) -> None:
        """Take what a receipt says that its sender was shown; inside a transaction, the arrival's."""
        known = (self._met.get(agency), self._asked.get(agency))
        if note == self._settled.get(agency) or any(met is not None and met.note == note for met in known):
            return
        try:
            origin = read_checkpoint(read_note(note, bytes_max=CHECKPOINT_BYTES_MAX).text).origin
            # Signed by the router, or it says nothing of it: an agency could make trouble between others.
            shown = read_shown(note, keys=self._witnessing.keys_of(origin, moment.at_ms))
        except LogError:
            return
        held = self._witnessing.held(origin)
        if held is None:
            return
        met = _Met(agency, shown, note)
        if held.checkpoint.size == shown.size:
            self._compare(met, held, (), moment)
        else:
            self._met[agency] = met

    def ask(self) -> list[Cosign]:
        """Return the requests for proofs that are due, those under way among them."""
        for agency in [agency for agency in self._met if agency not in self._asked][: _ASKED_MOST - len(self._asked)]:
            self._asked[agency] = self._met.pop(agency)
        # Agencies that beat together were shown the same.
        notes = {met.shown: met.note for met in self._asked.values()}
        return [Cosign("cosign", shown.size, None, note) for shown, note in notes.items()]

    def take(self, message: CheckpointMessage, moment: Moment) -> bool:
        """Look whether a checkpoint of the log is the answer to what was asked; inside a transaction.

        Only a proof to the very tree that this node keeps counts: by one to any other tree the log could show that this
        one is of the other history, and go on with ours.

        Returns:
            True if it is, and nothing else is to be done with it.
        """
        due = [met for met in self._asked.values() if met.shown.size == message.old_size]
        if not due:
            return False
        held = self._witnessing.held(due[0].shown.origin)
        if held is None or held.note != message.note or held.checkpoint.size < message.old_size:
            return False
        for met in due:
            self._compare(met, held, message.proof, moment)
        return True

    def beat(self) -> bool:
        """Note a heartbeat of ours; True if a proof has outlasted too many, and ``judge_silence`` is to be asked."""
        for met in self._asked.values():
            met.beats += 1
        return any(met.beats >= _BEATS_MOST for met in self._asked.values())

    def judge_silence(self, moment: Moment) -> None:
        """Put down a log that shows no proof; inside a transaction."""
        for met in [met for met in self._asked.values() if met.beats >= _BEATS_MOST]:
            msg = f"{met.shown.origin} shows no proof that the {met.shown.size} covers that {met.agency} saw are ours"
            error = LogError(LogFault.FREEZE, msg, evidence=(met.note,))
            self._witnessing.put_down(error, met.note, at_ms=moment.at_ms, machine_ms=moment.machine_ms)
            self._settle(met)

    def _compare(self, met: _Met, held: Witnessed, proof: tuple[bytes, ...], moment: Moment) -> None:
        """Put down a log whose tree that is kept here did not grow from the one that was met."""
        self._settle(met)
        evidence = (met.note, held.note)
        try:
            check_met(met.shown, held.checkpoint, old_size=met.shown.size, proof=proof, evidence=evidence)
        except LogError as error:
            self._witnessing.put_down(error, met.note, at_ms=moment.at_ms, machine_ms=moment.machine_ms)

    def _settle(self, met: _Met) -> None:
        self._asked.pop(met.agency, None)
        self._settled[met.agency] = met.note
