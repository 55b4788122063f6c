"""A node as one of two witnesses that meet: was the other shown the same log?

Two histories of a log can each be sound, and a router that shows each agency its own fools both. But readers and
originators meet behind its back: a receipt carries the checkpoint that its reader keeps, sealed and signed, so that a
router can hold it back, which shows, and not change it. What was met is compared at the next heartbeat: the log is
asked for the proof that what it shows here grew from what it showed there, and whoever shows two histories has none
(docs/spec/audit.md, "Witnesses that meet").

What is under way is kept in memory alone: after a restart the next receipt brings another.
"""

from typing import NamedTuple

from agencies.outgoing import Moment
from agencies.witness import Witnessing
from schemas.errors import LogError, LogFault
from schemas.frames import CheckpointMessage, Cosign
from schemas.limits import CHECKPOINT_BYTES_MAX
from sealing.notes import Checkpoint, read_checkpoint, read_note, verify_note
from sealing.witness import check_met


class _Met(NamedTuple):
    """What another agency was shown, and its note as it came."""

    agency: str
    shown: Checkpoint
    note: bytes


class Meetings:
    """The checkpoints of others that are still to be compared: of each agency the newest, one of them at a time.

    Args:
        witnessing: What this node keeps of the log; faults are put down there.
    """

    def __init__(self, witnessing: Witnessing) -> None:
        self._witnessing = witnessing
        self._met: dict[str, _Met] = {}  # by agency, the longest waiting first: no more than the bundle has agencies
        self._settled: dict[str, Checkpoint] = {}  # by agency, what was compared last
        self._asked: _Met | None = None  # the log was asked for the proof from there …
        self._beats = 0  # … so many heartbeats of ours ago

    def begin_session(self) -> None:
        """Note a new link: what the last one has not answered is asked anew."""
        if self._asked is not None:
            self._met = {self._asked.agency: self._asked} | self._met
            self._asked = None

    def take_back(self) -> None:
        """Note that what was put down last may be on no disk: what has been compared is, when it is met again."""
        self._settled.clear()

    def meet(self, agency: str, note: bytes, moment: Moment) -> None:
        """Take what a receipt says that its sender was shown; inside a transaction, the arrival's."""
        try:
            shown = read_checkpoint(read_note(note, bytes_max=CHECKPOINT_BYTES_MAX).text)
            keys = self._witnessing.keys_of(shown.origin, moment.at_ms)
            # Signed by the router, or it says nothing of it: an agency could make trouble between others.
            verify_note(read_note(note, bytes_max=CHECKPOINT_BYTES_MAX), keys)
        except LogError:
            return
        held = self._witnessing.held(shown.origin)
        if held is None or self._settled.get(agency) == shown:
            return
        if held.checkpoint.size != shown.size:
            self._met[agency] = _Met(agency, shown, note)
            return
        self._settled[agency] = shown
        try:
            check_met(note, held.note, old_size=shown.size, proof=(), keys=keys)
        except LogError as error:
            self._put_down(error, note, moment)

    def beat(self) -> bool:
        """Note a heartbeat of ours; True if a proof has outlasted two, and ``judge_silence`` is to be asked."""
        self._beats += self._asked is not None
        return self._beats > 1

    def judge_silence(self, moment: Moment) -> None:
        """Put down a log that shows no proof; inside a transaction."""
        asked = self._asked
        if asked is None:
            return
        msg = f"{asked.shown.origin} shows no proof that the {asked.shown.size} covers that {asked.agency} saw are ours"
        self._put_down(LogError(LogFault.FREEZE, msg, evidence=(asked.note,)), asked.note, moment)
        self._asked, self._beats = None, 0

    def ask_next(self) -> list[Cosign]:
        """Return the request for the next proof, if none is under way."""
        return self.ask() if self._asked is None else []

    def ask(self) -> list[Cosign]:
        """Return the request for the proof that is due next, or the one that is under way once more."""
        if self._asked is None and self._met:
            self._asked = self._met.pop(next(iter(self._met)))
            self._beats = 0
        if self._asked is None:
            return []
        return [Cosign("cosign", self._asked.shown.size, None, self._asked.note)]

    def take(self, message: CheckpointMessage, moment: Moment) -> None:
        """Look whether a checkpoint of the log settles what was asked, one way or the other; inside a transaction."""
        asked = self._asked
        if asked is None:
            return
        try:
            keys = self._witnessing.keys_of(asked.shown.origin, moment.at_ms)
            proved = check_met(asked.note, message.note, old_size=message.old_size, proof=message.proof, keys=keys)
        except LogError as error:
            if error.fault not in {LogFault.SPLIT_VIEW, LogFault.FORK}:
                return  # it was not said by the log, or is no checkpoint: the witness judges that
            self._put_down(error, message.note, moment)
        else:
            if proved is None:
                return
        self._asked, self._beats = None, 0
        # Agencies that beat together were shown the same.
        for met in [asked, *self._met.values()]:
            if met.shown == asked.shown:
                self._settled[met.agency] = met.shown
                self._met.pop(met.agency, None)

    def _put_down(self, error: LogError, note: bytes, moment: Moment) -> None:
        self._witnessing.put_down(error, note, at_ms=moment.at_ms, machine_ms=moment.machine_ms)
