"""A tripwire around a simulation: real time, chance, threads and sockets raise as long as it is drawn.

Ports make a run repeatable, this proves that nothing goes past them. The usual doors are closed by their names, which
costs nothing; with ``every_call`` each call into C is looked at, so that a name imported beforehand and the clock
inside ``datetime`` are found too.
"""

import os
import random  # noqa: TID251 - the doors that are closed here
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from types import FrameType
from typing import Any, Final, NoReturn

from schemas.errors import StrayCallError

_CLOCKS: Final = (
    "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "sleep",
)  # fmt: skip
_CHANCES: Final = (
    "random", "uniform", "randint", "randrange", "choice", "choices", "sample", "shuffle", "getrandbits", "randbytes",
    "gauss", "expovariate", "betavariate", "triangular", "seed", "_urandom",
)  # fmt: skip
_SHARED_CHANCE: Final = random.random.__self__  # type: ignore[attr-defined] # the generator behind the module's names
_DATE_CLOCKS: Final = frozenset({"now", "utcnow", "today"})
# A log line bears the time at which it was written; no decision ever reads it.
_MAY_READ_CLOCKS: Final = frozenset({"logging"})


@contextmanager
def tripwire(*, every_call: bool = False) -> Iterator[None]:
    """Have stray calls of this thread raise StrayCallError while the block runs; other threads go on as before.

    Args:
        every_call: Look at every call into C by means of the profiler; several times slower.
    """
    owner = threading.get_ident()
    doors: list[tuple[Any, str]] = [(time, name) for name in _CLOCKS]
    doors += [(random, name) for name in _CHANCES]
    doors += [(os, "urandom"), (threading.Thread, "start"), (socket.socket, "__init__"), (socket, "getaddrinfo")]
    kept = [(place, name, getattr(place, name)) for place, name in doors]
    for place, name, door in kept:
        setattr(place, name, _closed(door, f"{place.__name__}.{name}", owner))
    watch_before = sys.getprofile()
    if every_call:
        sys.setprofile(_watch)
    try:
        yield
    finally:
        if every_call:
            sys.setprofile(watch_before)
        for place, name, door in kept:
            setattr(place, name, door)


def _closed(door: Callable[..., Any], name: str, owner: int) -> Callable[..., Any]:
    def closed(*arguments: Any, **options: Any) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001 - the one way to know who calls
        if threading.get_ident() != owner or caller in _MAY_READ_CLOCKS:
            return door(*arguments, **options)
        _trip(name, caller)

    return closed


def _watch(frame: FrameType, event: str, called: Any) -> None:
    """Look at one call into C; ``called`` is the function itself, however it was imported."""
    if event != "c_call":
        return
    caller = frame.f_globals.get("__name__", "")
    if caller in _MAY_READ_CLOCKS or caller == __name__:
        return
    name, home, owner = called.__name__, called.__module__, getattr(called, "__self__", None)
    stray = (
        (home == "time" and name in _CLOCKS)
        or (home == "posix" and name in {"urandom", "getrandom"})
        or (home == "_thread" and name == "start_new_thread")
        or (name in _DATE_CLOCKS and isinstance(owner, type) and issubclass(owner, date))
        or owner is _SHARED_CHANCE
    )
    if stray:
        sys.setprofile(None)
        _trip(f"{home or getattr(owner, '__name__', '')}.{name}", caller)


def _trip(name: str, caller: str) -> NoReturn:
    msg = f"{caller} called {name} inside a simulation"
    raise StrayCallError(msg, remedy="take a clock or a source of entropy; in virtual time the seed decides all")
