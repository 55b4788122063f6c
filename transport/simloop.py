"""Virtual time: an event loop without selector, socket or thread, whose clock jumps to whatever is due next.

The same shells that run on real MQTT run on it, and one seed then decides everything: time moves only when nothing is
left to do, equal times are settled by the order of asking, and what asyncio leaves to chance is numbered. It stands in
this room since it is a world that the shells are put into, as the real one is; it knows no crypto and no policy.

It leans on four names that asyncio keeps private (``_run_once``, ``_ready``, ``_stopping``, ``_run``); they are the
same in every Python from 3.11 on, and tests/unit/test_transport_simloop.py fails first where they are not.
"""

import asyncio
import gc
import heapq
import itertools
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import Context
from typing import Any, Final, TypeVar

from schemas.errors import DeadlockError, SimulationError, ThreadInSimulationError
from transport.tripwire import tripwire

T = TypeVar("T")

_MICROSECONDS: Final = 1_000_000
_ROUNDING_US: Final = 0.001  # floats hold a week of seconds to far less than this
_TURNS_AT_ONE_TIME_MAX: Final = 1_000_000  # a busy instant of a large region takes some ten thousand
_CANCELLED_KEPT: Final = 256  # cancelled timers that may lie in the heap before it is swept
_NAMES_SHOWN: Final = 12


class _SimTask(asyncio.Task[Any]):
    """A task whose hash is its number, so that a set of tasks has one order whatever the addresses are.

    ``asyncio.TaskGroup`` cancels over a set; by address, two runs of one seed would cancel in different orders.
    """

    def __init__(self, number: int, work: Coroutine[Any, Any, Any], **options: Any) -> None:
        self.number = number  # first: the base class puts the task into a set
        super().__init__(work, **options)

    def __hash__(self) -> int:
        return self.number


class SimLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time; start it with ``run_simulated`` or ``asyncio.Runner(loop_factory=SimLoop)``."""

    def __init__(self) -> None:
        super().__init__()
        self._now_us = 0
        self._order = itertools.count()
        self._numbers = itertools.count(1)
        self._due: list[tuple[int, int, asyncio.TimerHandle]] = []
        self._cancelled_timers = 0
        self._turns_now = 0
        self.turns = 0  # of the loop so far: a measure of work that is the same on every machine
        self.interrupted = False  # Ctrl-C was pressed; the loop ends between two callbacks, never inside one
        # How long an executor takes to say that it is done, in µs; set by whoever simulates slow disks.
        self.executor_us: Callable[[], int] | None = None
        self.set_task_factory(self._make_task)  # type: ignore[arg-type] # its options differ from Python to Python

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._now_us / _MICROSECONDS

    def now_us(self) -> int:
        """Return virtual time as it is counted: whole microseconds since the loop was made."""
        return self._now_us

    def call_at(  # type: ignore[override] # mypy cannot match asyncio's variadic callbacks
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Schedule a call, never earlier than asked; calls for the same microsecond run in the order of asking."""
        self._check_closed()  # type: ignore[attr-defined] # typeshed leaves it out
        due_us = max(self._now_us, -int(-(when * _MICROSECONDS - _ROUNDING_US) // 1))
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._due, (due_us, next(self._order), handle))
        return handle

    def call_soon_threadsafe(  # type: ignore[override] # the same
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Schedule a call from the loop's own thread, as a signal handler does.

        Raises:
            ThreadInSimulationError: If another thread calls: when it does is no part of the seed.
        """
        if threading.get_ident() != self._thread_id:  # type: ignore[attr-defined] # typeshed leaves it out
            msg = "a thread reached into a simulation"
            raise ThreadInSimulationError(msg, remedy="let run_in_executor do the work: here it is done at once")
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(  # type: ignore[override] # typeshed ties the executor to threads
        self,
        executor: object,  # noqa: ARG002 - asyncio's signature
        func: Callable[..., T],
        *args: Any,
    ) -> asyncio.Future[T]:
        """Do the work at once, in this thread; whoever waits goes on in a later turn, as after a real executor."""
        done: asyncio.Future[T] = self.create_future()
        delay_s = 0.0 if self.executor_us is None else self.executor_us() / _MICROSECONDS
        try:
            result = func(*args)
        except BaseException as error:  # handed on to whoever awaits, as every executor does
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            self.call_later(delay_s, _fail, done, error)
        else:
            self.call_later(delay_s, _settle, done, result)
        return done

    async def getaddrinfo(self, *_arguments: Any, **_options: Any) -> Any:
        """Refuse: there is no network here but the simulated one."""
        msg = "a socket was asked for inside a simulation"
        raise SimulationError(msg, remedy="use transport.simnet")

    create_connection = create_server = create_datagram_endpoint = getaddrinfo

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        number = next(self._numbers)
        return _SimTask(number, work, loop=loop, **{"name": f"unnamed-{number}", **options})

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Sweep the heap when most of it is cancelled; every timeout that was not reached leaves one."""
        self._cancelled_timers += 1
        if self._cancelled_timers > max(_CANCELLED_KEPT, len(self._due) // 2):
            # The sorted keys are unique, so a heap made anew gives the same order.
            self._due = [timer for timer in self._due if not timer[2].cancelled() and timer[2] is not handle]
            heapq.heapify(self._due)
            self._cancelled_timers = 0

    def _run_once(self) -> None:
        """Run what is ready; if nothing is, jump to the next due time."""
        if self.interrupted:
            self.interrupted = False  # once: what is told to end may still close what it opened
            raise KeyboardInterrupt
        ready = self._ready  # type: ignore[attr-defined] # typeshed leaves it out
        if not ready and not self._stopping:  # type: ignore[attr-defined] # the same
            self._jump()
        while self._due and self._due[0][0] <= self._now_us:
            timer = heapq.heappop(self._due)[2]
            if not timer.cancelled():
                ready.append(timer)
        self.turns += 1
        self._turns_now += 1
        if self._turns_now > _TURNS_AT_ONE_TIME_MAX:
            msg = f"virtual time has stood still at {self.time():.6f} s for {_TURNS_AT_ONE_TIME_MAX} turns"
            raise SimulationError(msg, remedy=f"one of these never waits: {self._waiting()}")
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001 - what every event loop does with a handle

    def _jump(self) -> None:
        while self._due and self._due[0][2].cancelled():
            heapq.heappop(self._due)
        if not self._due:
            msg = f"nothing is scheduled any more at {self.time():.6f} s"
            raise DeadlockError(msg, remedy=f"these wait for what will never come: {self._waiting()}")
        self._now_us = max(self._now_us, self._due[0][0])
        self._turns_now = 0

    def timers(self) -> list[str]:
        """Return the names of the calls that are due later; for whoever looks for what a program has left behind."""
        handles = [timer[2] for timer in sorted(self._due) if not timer[2].cancelled()]
        return [getattr(handle._callback, "__qualname__", repr(handle)) for handle in handles]  # type: ignore[attr-defined] # noqa: SLF001 - typeshed leaves it out

    def _waiting(self) -> str:
        names = sorted(task.get_name() for task in asyncio.all_tasks(self))
        return ", ".join(names[:_NAMES_SHOWN]) + (" …" if len(names) > _NAMES_SHOWN else "")


def _settle(done: "asyncio.Future[T]", result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: "asyncio.Future[Any]", error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)


def running_simulation() -> SimLoop:
    """Return the loop that runs here.

    Raises:
        SimulationError: If none runs, or a real one.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    if not isinstance(loop, SimLoop):
        msg = "this exists in virtual time only"
        raise SimulationError(msg, remedy="start it with transport.simloop.run_simulated")
    return loop


def in_simulation() -> bool:
    """Tell whether the loop that runs here is in virtual time."""
    return isinstance(asyncio.get_running_loop(), SimLoop)


def run_simulated(main: Coroutine[Any, Any, T], *, every_call: bool = False, guarded: bool = True) -> T:
    """Run a program in virtual time and return its result.

    Args:
        main: The program.
        every_call: Watch every call for a stray clock, chance, thread or socket; several times slower.
        guarded: Whether the usual doors to them are closed; a test that looks for what escapes opens them.

    Raises:
        DeadlockError: If nothing is scheduled and the program is not done.
        SimulationError: If it reached for real time, chance, a thread or a socket.
    """
    guard = tripwire(every_call=every_call) if guarded else nullcontext()
    with _steady_memory(), asyncio.Runner(loop_factory=SimLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, SimLoop)
        with guard, _interruptible(loop):
            return runner.run(main)


@contextmanager
def _interruptible(loop: SimLoop) -> Iterator[None]:
    """Let Ctrl-C end the loop between two callbacks; where somebody else takes that signal, they keep it."""
    ours = threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )

    def interrupt(_number: int, _frame: object) -> None:
        loop.interrupted = True

    if ours:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if loop.interrupted:
        raise KeyboardInterrupt


@contextmanager
def _steady_memory() -> Iterator[None]:
    """Keep the collector out: when it runs depends on all that the process did before, and it runs clean-up code."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
