"""What the exit codes of ``sandiwara`` mean, and which error has which; documented in ``sandiwara --help``."""

import enum
from collections.abc import Iterator
from typing import Final

from schemas.errors import (
    CapacityError,
    ExerciseError,
    InputError,
    KeyFileError,
    LinkError,
    ListenError,
    LogError,
    RemoteError,
    SandiwaraError,
    SealError,
    SimulationError,
    StoreError,
    UsageError,
)


class Exit(enum.IntEnum):
    """The exit codes; every command uses these and no others."""

    OK = 0
    NO = 1
    USAGE = 2
    INPUT = 3
    LINK = 4
    STORE = 5
    LIMIT = 6
    BUG = 70  # EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130  # 128 + SIGINT, as shells report it
    PIPE = 141  # 128 + SIGPIPE
    TERMINATED = 143  # 128 + SIGTERM


MEANINGS: Final = {
    Exit.OK: "done",
    Exit.NO: "the command's own no: lint found errors, nobody may have it, not all that was asked for came about",
    Exit.USAGE: "the command line cannot be meant",
    Exit.INPUT: "a file or text that was given is refused",
    Exit.LINK: "no link, no broker, or the port or address cannot be had",
    Exit.STORE: "a database, key file or the disk",
    Exit.LIMIT: "a bound of time or room was reached, or the exercise cannot go on",
    Exit.BUG: "a fault of Sandiwara itself; --debug shows where",
    Exit.INTERRUPTED: "stopped by Ctrl-C",
    Exit.PIPE: "whoever read the output has gone",
    Exit.TERMINATED: "stopped by SIGTERM (broker and node then end with 0)",
}

# The first that fits counts, so what is special stands before what it is a kind of.
_OF_ERROR: Final[tuple[tuple[type[SandiwaraError], Exit], ...]] = (
    (UsageError, Exit.USAGE),
    (InputError, Exit.INPUT),
    (SealError, Exit.INPUT),
    (LinkError, Exit.LINK),
    (ListenError, Exit.LINK),
    (StoreError, Exit.STORE),
    (KeyFileError, Exit.STORE),
    (CapacityError, Exit.LIMIT),
    (ExerciseError, Exit.LIMIT),
    (RemoteError, Exit.INPUT),
    (LogError, Exit.STORE),
    (SimulationError, Exit.BUG),
)


def exit_of(error: SandiwaraError) -> Exit:
    """Return the exit code of an error."""
    return next((code for kind, code in _OF_ERROR if isinstance(error, kind)), Exit.BUG)


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield what was really raised: each task group around an error wraps it once more."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from causes(inner)
    else:
        yield error
