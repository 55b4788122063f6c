"""A small coverage-guided loop: mutate, run, and keep what reaches a line of the project that nothing reached before.

It needs nothing but the interpreter, so it runs wherever the tests do. A trace function sees each line of our own rooms
once; a function all of whose lines have been seen is not traced any more, so the loop gets quicker as it learns.
"""

import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from random import Random  # noqa: TID251 -- the stream of a named seed
from types import CodeType, FrameType
from typing import Any, Final

from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target

_REPOSITORY: Final = Path(__file__).parents[2]
_ROOMS: Final = (
    "schemas",
    "sealing",
    "policy",
    "transport",
    "broker",
    "agencies",
    "scenarios",
    "conformance",
    "console",
)
_STEPS_MOST: Final = 5
_NUMBER_MOST: Final = 1 << 24
_CORPUS_MOST: Final = 4_000
_FINDS_MOST: Final = 20


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of fuzzing one target."""

    target: str
    runs: int = 0
    passed: int = 0  # inputs that the reader let through
    seconds: float = 0.0
    lines: int = 0
    corpus: int = 0
    slowest_ms: float = 0.0
    slowest: bytes = b""
    finds: dict[str, bytes] = field(default_factory=dict)  # by the exception and where it was raised


class LinesSeen:
    """Which lines of the project were run; ``fresh`` tells whether the last run saw a new one."""

    def __init__(self) -> None:
        self.count = 0
        self.fresh = False
        self._left: dict[CodeType, set[int]] = {}
        self._roots = tuple(str(_REPOSITORY / room) for room in _ROOMS)

    def trace(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        """Be told of a call; lines are followed only where some are left to see."""
        code = frame.f_code
        left = self._left.get(code)
        if left is None:
            ours = code.co_filename.startswith(self._roots)
            left = self._left[code] = {line for _, _, line in code.co_lines() if line is not None} if ours else set()
        if not left:
            return None
        return self._line

    def _line(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            left = self._left[frame.f_code]
            if frame.f_lineno in left:
                left.discard(frame.f_lineno)
                self.count += 1
                self.fresh = True
        return self._line


def fuzz(target: Target, *, seconds: float, seed: int) -> Outcome:
    """Fuzz one target for some time.

    Args:
        target: The reader.
        seconds: For how long, real time.
        seed: Decides every mutation; with the machine's speed it decides how far the loop gets.
    """
    chance = Random(f"{seed}:{target.name}")  # noqa: S311 -- a stream that is drawn again from its seed
    seen, found = LinesSeen(), Outcome(target=target.name)
    corpus = list(target.samples())
    for sample in corpus:
        _run_traced(target, sample, seen, found)
    begin = time.perf_counter()
    while (now := time.perf_counter()) - begin < seconds and len(found.finds) < _FINDS_MOST:
        # Half of the time what was found last, since that is where new ground is.
        received = chance.choice(corpus[-32:] if chance.random() < 1 / 2 else corpus)
        steps = [
            (chance.randrange(256), chance.randrange(_NUMBER_MOST), chance.randrange(_NUMBER_MOST))
            for _ in range(chance.randint(1, _STEPS_MOST))
        ]
        hostile = mutate(received, steps, chance.choice(corpus))
        _run_traced(target, hostile, seen, found)
        took_ms = (time.perf_counter() - now) * 1_000
        if took_ms > found.slowest_ms:
            found.slowest_ms, found.slowest = took_ms, hostile
        if seen.fresh and len(corpus) < _CORPUS_MOST:
            corpus.append(hostile)
    found.seconds = time.perf_counter() - begin
    found.lines, found.corpus = seen.count, len(corpus)
    return found


def _run_traced(target: Target, received: bytes, seen: LinesSeen, found: Outcome) -> None:
    seen.fresh = False
    sys.settrace(seen.trace)
    try:
        found.passed += target.run(received)
    except Exception as error:  # noqa: BLE001 -- every exception that is not a refusal is what is looked for
        sys.settrace(None)
        found.finds.setdefault(place_of(error), received)
    finally:
        sys.settrace(None)
        found.runs += 1


def place_of(error: BaseException) -> str:
    """Return the exception and where in the project it was raised; two finds of one place are one."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if str(_REPOSITORY) in frame.filename]
    at = f"{Path(ours[-1].filename).relative_to(_REPOSITORY)}:{ours[-1].lineno}" if ours else "nowhere"
    return f"{type(error).__name__} at {at}: {str(error)[:120]}"
