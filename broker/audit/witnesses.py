"""Showing the log to the agencies, and taking their cosignatures (docs/spec/audit.md, "Witnesses").

An agency is shown the newest checkpoint when it has shown itself by a hello or heartbeat, with the proof from the one
that it cosigned last: at no time that depends on what is sent, by anybody. So a log that is shown to two in two
versions contradicts itself within a heartbeat, and tells nobody that there was something to write. Besides, an agency
may ask for the proof from any other checkpoint: the one that it keeps, or one that another agency was shown.
"""

from collections.abc import Callable

from broker.audit.store import LogStore
from broker.core import RouterCore
from schemas.errors import LogError, RemoteError
from schemas.frames import CheckpointMessage, Cosign, DownMessage
from schemas.limits import SIGNATURE_BYTES
from sealing.notes import TYPE_COSIGNATURE, NoteKey, read_signature, verify_signature, witness_name

Send = Callable[[str, DownMessage], None]
_TIME_BYTES = 8
_PROOFS_MOST = 32  # to an agency of one tree: its own, and twice what a node asks for at once


class Witnesses:
    """Who has been shown what.

    Args:
        core: Knows the agencies' keys.
        log: What is shown.
    """

    def __init__(self, *, core: RouterCore, log: LogStore) -> None:
        self._core = core
        self._log = log
        self._heard: dict[str, None] = {}  # in this batch, in order
        self._shown: dict[str, int] = {}  # the size that was shown last in this session
        self._from: dict[str, int] = {}  # the size that the agency cosigned last
        self._wanted: dict[str, list[int]] = {}  # in this batch: the sizes from which a proof was asked for
        self._proved: dict[str, tuple[int, set[int]]] = {}  # of a tree of this size, from which sizes it was proved

    def heard(self, agency: str) -> None:
        """Note that an agency is there; it is shown the newest checkpoint at the end of the batch."""
        self._heard[agency] = None

    def forget(self, agency: str) -> None:
        """Forget what was shown in a session that is over."""
        self._shown.pop(agency, None)
        self._from.pop(agency, None)
        self._wanted.pop(agency, None)
        self._proved.pop(agency, None)

    def forget_all(self) -> None:
        """Forget everything that was shown, after a batch that could not be written."""
        self._heard.clear()
        self._shown.clear()
        self._from.clear()
        self._wanted.clear()
        self._proved.clear()

    def show(self, send: Send) -> None:
        """Show the newest checkpoint to whoever was heard and has not seen it, and by each proof that was asked for."""
        heard, self._heard = self._heard, {}
        wanted, self._wanted = self._wanted, {}
        size = self._log.signed_size
        note = self._log.newest()
        if note is None:
            return
        for agency in heard:
            if self._shown.get(agency, 0) < size:
                self._shown[agency] = size
                old_size = self._from.get(agency)
                if old_size is None:
                    old_size = self._from[agency] = self._log.cosigned_size(agency)
                send(agency, CheckpointMessage("checkpoint", old_size, self._log.proof_from(min(old_size, size)), note))
        for agency, sizes in wanted.items():
            for old_size in self._due(agency, sizes, size):
                send(agency, CheckpointMessage("checkpoint", old_size, self._log.proof_from(old_size), note))

    def _due(self, agency: str, sizes: list[int], size: int) -> list[int]:
        """Return the sizes from which a proof is due: an agency that goes on saying the same is not worth another."""
        proved_size, proved = self._proved.get(agency, (0, set()))
        if proved_size != size:
            proved = set()
        due = [old_size for old_size in dict.fromkeys(sizes) if old_size <= size and old_size not in proved]
        due = due[: max(0, _PROOFS_MOST - len(proved))]
        self._proved[agency] = (size, proved | set(due))
        return due

    def take(self, agency: str, message: Cosign, *, now_ms: int) -> bool:
        """Take what an agency answers to a checkpoint; False if its cosignature does not hold.

        An agency that wants another proof says from which size: that which it keeps, where it is not what we thought,
        or one that another agency was shown.
        """
        if message.line is None:
            if message.note is not None:
                self._log.meet(message.note)
            self._wanted.setdefault(agency, []).append(message.size)
            return True
        note = self._log.note_of(message.size)
        try:
            line = read_signature(message.line.decode())
            if note is None or len(line.signature) != _TIME_BYTES + SIGNATURE_BYTES:
                return False
            at_ms = int.from_bytes(line.signature[:_TIME_BYTES], "big") * 1000
            for public in self._core.signers.keys_of(agency, sealed_at=at_ms, arrived_at=now_ms):
                key = NoteKey(name=witness_name(agency), kind=TYPE_COSIGNATURE, public=public)
                if key.key_id == line.key_id:
                    verify_signature(note.text, line, key=key)
                    self._log.keep_cosignature(message.size, agency, line)
                    self._from[agency] = max(message.size, self._from.get(agency, 0))
                    return True
        except (LogError, RemoteError, UnicodeDecodeError):
            return False
        return False
