"""How long-running commands end: SIGTERM and Ctrl-C stop them by cancelling the one task that owns everything.

Every context on the way out then closes what it opened: sessions are said goodbye to, what is being decided reaches
the disk, databases are closed.
"""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from console.exits import Exit


def run_until_ended(serving: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine until it returns its exit code, or until SIGTERM, which is a good end.

    Ctrl-C ends it in the same way and reaches the caller as KeyboardInterrupt, as ``asyncio.Runner`` has it.
    """
    told: list[int] = []

    async def owner() -> int:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()

        def end() -> None:
            told.append(signal.SIGTERM)
            task.cancel()

        loop.add_signal_handler(signal.SIGTERM, end)
        try:
            return await serving
        finally:
            loop.remove_signal_handler(signal.SIGTERM)

    try:
        return asyncio.run(owner())
    except asyncio.CancelledError:
        if not told:
            raise
        return Exit.OK
