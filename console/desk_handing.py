"""An act is handed to a node, and its outcome read from the node's own record, where the node is running.

The wait ends by itself; what was handed over stays so, and the record says later what became of it.
"""

import asyncio
from pathlib import Path
from typing import Any, Final

from console.desk_acts import Act, act_name
from console.exits import Exit
from console.node_reading import reading_node
from console.node_view import done_text
from console.screen import console, plain, write_json
from console.spool import cause_of, hand_over_act
from scenarios.deployment import OUTGOING
from sealing.entropy import SystemEntropy
from transport.clock import SystemClock

_LOOK_S: Final = 0.05
_DONE: Final = "done"


def hand_over_and_wait(act: Act, *, part: Path, agency: str, runs: bool, wait_ms: int, as_json: bool) -> int:
    """Hand an act over, say what became of it, and return the exit code: 1 if the node has refused it.

    Args:
        act: What is to be done.
        part: The node's folder.
        agency: Whose node.
        runs: Whether the node is running.
        wait_ms: How long to wait for it.
        as_json: Whether to write JSON.
    """
    clock = SystemClock()
    laid = hand_over_act(part / OUTGOING, act, now_ms=clock.now_ms(), entropy=SystemEntropy())
    outcome = asyncio.run(_wait(laid, part=part, agency=agency, wait_ms=wait_ms)) if wait_ms else None
    document: dict[str, Any] = {"act": act_name(act), "file": str(laid), "agency": agency, "outcome": None}
    if outcome is not None:
        document |= {name: outcome[name] for name in ("outcome", "hids", "readers", "left_out")}
    if as_json:
        write_json(document)
    else:
        console().print(plain(_in_words(document, runs=runs)), soft_wrap=True)
    if outcome is None:
        return Exit.OK
    nobody = bool(outcome["left_out"]) and not outcome["hids"]
    return Exit.OK if outcome["outcome"] == _DONE and not nobody else Exit.NO


async def _wait(laid: Path, *, part: Path, agency: str, wait_ms: int) -> dict[str, Any] | None:
    """Return what the node's record says of an act once its file is gone; None if it was not done in time."""
    try:
        async with asyncio.timeout(wait_ms / 1_000):
            while await asyncio.to_thread(laid.exists):  # noqa: ASYNC110 - another process takes the file away
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        return None
    return await asyncio.to_thread(_outcome, laid, part, agency)


def _outcome(laid: Path, part: Path, agency: str) -> dict[str, Any] | None:
    with reading_node(part, agency, now_ms=SystemClock().now_ms()) as reading:
        found = [
            entry.fields
            for entry in reading.store.journal.entries(stages=("handed",))
            if entry.fields["cause"] == cause_of(laid)
        ]
    return found[-1] if found else None


def _in_words(document: dict[str, Any], *, runs: bool) -> str:
    name, agency, outcome = document["act"], document["agency"], document["outcome"]
    if outcome is None and not runs:
        return f"{name}: handed to the node of {agency}, which is not running; it is done when the node is started"
    if outcome is None:
        return f"{name}: handed to the node of {agency} and not done yet; does it have its link?"
    return done_text(document) if outcome == _DONE else f"{name}: {outcome}"
