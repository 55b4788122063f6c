"""Every error of Sandiwara, in one tree, and the closed list of codes that a refusal may carry.

    SandiwaraError
    ├── LocalError               our own slip or our user's; says what to do
    │   ├── UsageError           a command or argument that cannot be meant
    │   ├── InputError           a file or text of the user's that cannot be read; names the place
    │   ├── MarkingError         an imported marking nobody here knows
    │   ├── KeyFileError         a key file that does not open
    │   ├── StoreError           a database that is foreign, corrupt or in use
    │   │   └── DiskFullError            a disk that takes no more; it may have room again
    │   ├── ListenError          an address we cannot or will not listen on
    │   ├── LinkError            the broker cannot be reached, or ended the link
    │   ├── SealError            a report that cannot be sealed as asked
    │   ├── CapacityError        a bounded queue, buffer or wait has reached its bound
    │   ├── ExerciseError        a pack that cannot be played on
    │   └── SimulationError      something that cannot be in virtual time
    │       ├── DeadlockError            nothing is scheduled, and the run is not done
    │       ├── ThreadInSimulationError  a thread reached in
    │       └── StrayCallError           real time, chance, a thread or a socket was reached for
    ├── RemoteError              the peer's bytes are at fault; carries a code
    │   └── NotForMeError        well made, and meant for somebody else: no alarm
    └── LogError                 a log's leaf, proof or checkpoint does not hold; names the fault

A check either returns what it has proved or raises. The first failing check names the stage (docs/spec/envelope.md,
"Order of checks"); the code goes to the local log and to the verdict for the author, never to anybody else.
"""

import enum


class Stage(enum.StrEnum):
    """Where a received message failed, in the normative order of checks."""

    SIZE = "size"
    PARSE = "parse"
    CANONICAL = "canonical"
    VERSION = "version"
    LIMITS = "limits"
    SENDER = "sender"
    KEY = "key"
    SIGNATURE = "signature"
    POLICY = "policy"
    FRESHNESS = "freshness"
    UNWRAP = "unwrap"
    COMMITMENT = "commitment"
    PAYLOAD = "payload"
    RELEASE = "release"


class Code(enum.StrEnum):
    """Why a received message was refused; every code belongs to exactly one stage."""

    TOO_BIG = "TOO_BIG"
    TRUNCATED = "TRUNCATED"
    TRAILING = "TRAILING"
    BAD_TYPE = "BAD_TYPE"
    DEPTH = "DEPTH"
    BAD_UTF8 = "BAD_UTF8"
    NOT_CANONICAL = "NOT_CANONICAL"
    VERSION = "VERSION"
    SHAPE = "SHAPE"
    LIMIT = "LIMIT"
    UNKNOWN_SENDER = "UNKNOWN_SENDER"
    TOPIC_MISMATCH = "TOPIC_MISMATCH"
    KEY_WEAK = "KEY_WEAK"
    KEY_TIME = "KEY_TIME"
    KEY_REVOKED = "KEY_REVOKED"
    KEY_EPOCH = "KEY_EPOCH"
    BAD_SIG = "BAD_SIG"
    BAD_COSIG = "BAD_COSIG"
    WRAPS_HASH = "WRAPS_HASH"
    DISCLOSURE = "DISCLOSURE"
    BLOB_HASH = "BLOB_HASH"
    THRESHOLD = "THRESHOLD"
    AUDIENCE = "AUDIENCE"
    REFERENCE = "REFERENCE"
    STALE = "STALE"
    FUTURE = "FUTURE"
    EQUIVOCATION = "EQUIVOCATION"
    SEQUENCE = "SEQUENCE"
    ROLLBACK = "ROLLBACK"
    QUOTA = "QUOTA"
    NOT_FOR_ME = "NOT_FOR_ME"
    BAD_WRAP = "BAD_WRAP"
    COMMITMENT = "COMMITMENT"
    BAD_TAG = "BAD_TAG"
    CONTENT = "CONTENT"
    CHUNK = "CHUNK"
    CLEARANCE = "CLEARANCE"
    RECALLED = "RECALLED"


STAGE_OF: dict[Code, Stage] = {
    Code.TOO_BIG: Stage.SIZE,
    Code.TRUNCATED: Stage.PARSE,
    Code.TRAILING: Stage.PARSE,
    Code.BAD_TYPE: Stage.PARSE,
    Code.DEPTH: Stage.PARSE,
    Code.BAD_UTF8: Stage.PARSE,
    Code.NOT_CANONICAL: Stage.CANONICAL,
    Code.VERSION: Stage.VERSION,
    Code.SHAPE: Stage.LIMITS,
    Code.LIMIT: Stage.LIMITS,
    Code.UNKNOWN_SENDER: Stage.SENDER,
    Code.TOPIC_MISMATCH: Stage.SENDER,
    Code.KEY_WEAK: Stage.KEY,
    Code.KEY_TIME: Stage.KEY,
    Code.KEY_REVOKED: Stage.KEY,
    Code.KEY_EPOCH: Stage.KEY,
    Code.BAD_SIG: Stage.SIGNATURE,
    Code.BAD_COSIG: Stage.SIGNATURE,
    Code.WRAPS_HASH: Stage.SIGNATURE,
    Code.DISCLOSURE: Stage.SIGNATURE,
    Code.BLOB_HASH: Stage.SIGNATURE,
    Code.THRESHOLD: Stage.SIGNATURE,
    Code.AUDIENCE: Stage.POLICY,
    Code.REFERENCE: Stage.POLICY,
    Code.STALE: Stage.FRESHNESS,
    Code.FUTURE: Stage.FRESHNESS,
    Code.EQUIVOCATION: Stage.FRESHNESS,
    Code.SEQUENCE: Stage.FRESHNESS,
    Code.ROLLBACK: Stage.FRESHNESS,
    Code.QUOTA: Stage.FRESHNESS,
    Code.NOT_FOR_ME: Stage.UNWRAP,
    Code.BAD_WRAP: Stage.UNWRAP,
    Code.COMMITMENT: Stage.COMMITMENT,
    Code.BAD_TAG: Stage.PAYLOAD,
    Code.CONTENT: Stage.PAYLOAD,
    Code.CHUNK: Stage.PAYLOAD,
    Code.CLEARANCE: Stage.RELEASE,
    Code.RECALLED: Stage.RELEASE,
}


class SandiwaraError(Exception):
    """The root: everything that Sandiwara raises on purpose."""


class LocalError(SandiwaraError):
    """Our own slip or our user's. The message says what is wrong and where, the remedy what to do.

    Args:
        message: What is wrong, and where.
        remedy: What the reader can do about it; empty only where nothing sensible can be said.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class UsageError(LocalError):
    """A command or argument that cannot be meant."""


class InputError(LocalError):
    """A file or text of the user's that cannot be read."""


class MarkingError(InputError):
    """An imported marking that nobody here knows: refused, since unknown is never "no restriction"."""


class KeyFileError(LocalError):
    """A key file that is missing, damaged, readable by others, or locked with another password."""


class StoreError(LocalError):
    """A database that is full, foreign, corrupt or already in use."""


class DiskFullError(StoreError):
    """A disk that takes no more, or fails to: nothing of this was kept, what was is safe, and it may heal."""


class ListenError(LocalError):
    """An address we cannot listen on, or will not."""


class LinkError(LocalError):
    """The broker cannot be reached, refuses us, or has ended the link."""


class SealError(LocalError):
    """A report that cannot be sealed as asked."""


class CapacityError(LocalError):
    """A bounded queue, buffer or wait has reached its bound; nothing that was accepted is dropped for it."""


class ExerciseError(LocalError):
    """A pack that cannot be played on."""


class SimulationError(LocalError):
    """Something that cannot be in virtual time: a programmer's error, never a user's."""


class DeadlockError(SimulationError):
    """Nothing is scheduled, and the run is not done."""


class ThreadInSimulationError(SimulationError):
    """A thread reached into a simulation."""


class StrayCallError(SimulationError):
    """Real time, chance, a thread or a socket was reached for inside a simulation."""


class RemoteError(SandiwaraError):
    """The peer's bytes are at fault.

    Args:
        code: One of the closed list; the stage follows from it.
        message: For the local log and for people; holds ids and sizes, never content.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def stage(self) -> Stage:
        """The stage in which the check stands."""
        return STAGE_OF[self.code]


class NotForMeError(RemoteError):
    """Well made, and meant for somebody else: no alarm, and nothing learned."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.NOT_FOR_ME, message)


class LogFault(enum.StrEnum):
    """What is wrong with a log, or with what it shows of itself (docs/spec/audit.md, "Faults")."""

    MALFORMED = "MALFORMED"
    UNKNOWN_LOG = "UNKNOWN_LOG"
    SIGNATURE = "SIGNATURE"
    PROOF = "PROOF"
    ROLLBACK = "ROLLBACK"
    SPLIT_VIEW = "SPLIT_VIEW"
    FORK = "FORK"
    FREEZE = "FREEZE"


class LogError(SandiwaraError):
    """A log's leaf, proof, checkpoint or cosignature does not hold.

    Args:
        fault: Of the closed list.
        message: What is wrong, and where.
        evidence: The signed notes that contradict each other, for whoever has to judge; empty where there are none.
    """

    def __init__(self, fault: LogFault, message: str, *, evidence: tuple[bytes, ...] = ()) -> None:
        super().__init__(message)
        self.fault = fault
        self.evidence = evidence
