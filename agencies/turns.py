"""The disk of a node, one call at a time: what was begun is finished, whoever waits for it.

A call runs on a thread, which cannot be stopped, and what it has written is true. The end of a link cancels its tasks
at any moment; so whoever is cancelled here still waits for the end of its call, and what follows from it still happens.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from schemas.errors import DiskFullError

T = TypeVar("T")


class DiskTurns:
    """Runs calls on an executor, in the order in which they were asked for.

    Attributes:
        busy: How many calls are asked for and not yet done.
        on_full: Told of every call that found the disk full, before its caller is.
    """

    def __init__(self, disk: Executor) -> None:
        self._disk = disk
        self.on_full: Callable[[DiskFullError], None] = lambda _error: None
        self._turn = asyncio.Lock()
        self.busy = 0

    async def run(self, call: Callable[[], T], *, then: Callable[[T], None] | None = None) -> T:
        """Run a call and return its result.

        Args:
            call: Runs on the executor's thread, alone.
            then: Takes the result in the loop, before the next call's turn, even if the caller is cancelled meanwhile.
        """
        self.busy += 1
        try:
            async with self._turn:
                job = asyncio.get_running_loop().run_in_executor(self._disk, call)
                try:
                    await _ended(job)
                except asyncio.CancelledError:
                    _follow(job, then)
                    raise
                _follow(job, then)
                return job.result()
        except DiskFullError as error:
            self.on_full(error)
            raise
        finally:
            self.busy -= 1


async def _ended(job: asyncio.Future[T]) -> None:
    """Wait for the end of a job, whatever it is; a cancellation is raised once the job has ended."""
    if job.done():
        return
    ended = asyncio.Event()
    job.add_done_callback(lambda _: ended.set())
    try:
        await ended.wait()
    except asyncio.CancelledError:
        await _ended(job)
        raise


def _follow(job: asyncio.Future[T], then: Callable[[T], None] | None) -> None:
    result = job.result()  # an error of the call comes before the caller's cancellation: it must reach an owner
    if then is not None:
        then(result)
