"""How long-running commands end: SIGTERM and Ctrl-C stop them by cancelling the one task that owns everything.

Every context on the way out then closes what it opened: sessions are said goodbye to, what is being decided reaches
the disk, databases are closed.

Both signals are taken by the loop, between two callbacks. The handler that ``asyncio.Runner`` has for Ctrl-C cancels
from inside whatever runs, and may so cancel a future between the look at it and the setting of its result.
"""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from console.exits import Exit

T = TypeVar("T")

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def run_until_ended(serving: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine until it returns its exit code, or until SIGTERM, which is a good end.

    Raises:
        KeyboardInterrupt: If Ctrl-C ended it.
    """
    try:
        return run_unless_ended(serving)
    except SystemExit:
        return Exit.OK


def run_unless_ended(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return its result.

    Raises:
        KeyboardInterrupt: If Ctrl-C ended it; all that it opened is closed. A second Ctrl-C does not wait for that.
        SystemExit: If SIGTERM did.
    """
    told: list[signal.Signals] = []

    async def owner() -> T:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        before = signal.getsignal(signal.SIGTERM)

        def give_back(number: signal.Signals) -> None:
            if loop.remove_signal_handler(number) and number == signal.SIGTERM:
                signal.signal(number, before)

        def end(number: signal.Signals) -> None:
            told.append(number)
            # The next signal of this kind is from somebody who no longer wants to wait for a clean end.
            give_back(number)
            task.cancel()

        for number in _SIGNALS:
            loop.add_signal_handler(number, end, number)
        try:
            return await work
        finally:
            for number in _SIGNALS:
                give_back(number)

    try:
        return asyncio.run(owner())
    except asyncio.CancelledError:
        if not told:
            raise
    if signal.SIGTERM in told:
        raise SystemExit(128 + signal.SIGTERM)
    raise KeyboardInterrupt
