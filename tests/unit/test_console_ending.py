"""How a command ends when it is told to, in the real loop and in virtual time."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from console.ending import run_unless_ended, run_until_ended
from console.exits import Exit
from transport.simloop import run_simulated


async def _told_inside_a_callback(number: signal.Signals, seen: list[str]) -> None:
    """Wait for a future whose setter is told to end between its look at the future and its setting of the result."""
    loop = asyncio.get_running_loop()
    awaited: asyncio.Future[None] = loop.create_future()

    def settle() -> None:
        assert not awaited.done()
        signal.raise_signal(number)
        awaited.set_result(None)
        seen.append("settled")

    loop.call_soon(settle)
    try:
        await awaited
        await asyncio.Event().wait()
    finally:
        seen.append("closed")


@pytest.mark.parametrize("run", [run_unless_ended, run_until_ended])
def test_ctrl_c_cuts_no_callback_in_two(run: Callable[[Coroutine[Any, Any, Any]], object]) -> None:
    seen: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run(_told_inside_a_callback(signal.SIGINT, seen))
    assert ["settled", "closed"] == seen


def test_ctrl_c_cuts_no_callback_in_two_in_virtual_time() -> None:
    seen: list[str] = []

    async def program() -> None:
        asyncio.get_running_loop().call_later(1e6, seen.append, "never")
        await _told_inside_a_callback(signal.SIGINT, seen)

    with pytest.raises(KeyboardInterrupt):
        run_simulated(program())
    assert ["settled", "closed"] == seen


def test_sigterm_is_a_good_end_for_what_serves_and_143_for_what_works() -> None:
    seen: list[str] = []
    assert Exit.OK == run_until_ended(_told_inside_a_callback(signal.SIGTERM, seen))  # type: ignore[arg-type] # no result
    with pytest.raises(SystemExit) as ended:
        run_unless_ended(_told_inside_a_callback(signal.SIGTERM, seen))
    assert 143 == ended.value.code
    assert ["settled", "closed"] * 2 == seen


def test_signals_are_given_back_as_they_were() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]

    async def nothing() -> int:
        return 0

    run_until_ended(nothing())
    assert before == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
