"""How errors are shown: what is wrong and where, then what to try; never a traceback unless --debug asks for one."""

import sys
import traceback

from console.exits import Exit, causes, exit_of
from schemas.errors import LocalError, RemoteError, SandiwaraError


def show_failure(error: BaseException, *, debug: bool) -> int:
    """Say on stderr what went wrong, and return the exit code.

    Args:
        error: What reached the top, possibly inside the groups of several task groups.
        debug: Whether to show the traceback before.

    Raises:
        KeyboardInterrupt, BrokenPipeError: If it was one of these, inside a group.
    """
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else Exit.BUG
    found = list(causes(error))
    if debug:
        traceback.print_exception(error)
    known = [cause for cause in found if isinstance(cause, SandiwaraError)]
    # Beside one error on purpose, what others say is what followed from it.
    if known:
        _say(known[0])
        return exit_of(known[0])
    if any(isinstance(cause, KeyboardInterrupt) for cause in found):
        raise KeyboardInterrupt
    if any(isinstance(cause, BrokenPipeError) for cause in found):
        raise BrokenPipeError
    # The text of an unexpected error may quote what it stumbled over, so only its kind and place are named.
    first = found[0]
    sys.stderr.write(f"sandiwara: a fault of its own: {type(first).__name__}{_place(first)}\n")
    sys.stderr.write("  try: the same command with --debug, and report what it shows\n")
    return Exit.BUG


def _say(error: SandiwaraError) -> None:
    code = f" [{error.code}]" if isinstance(error, RemoteError) else ""
    remedy = error.remedy if isinstance(error, LocalError) else ""
    sys.stderr.write(f"sandiwara: {one_or_more_lines(str(error))}{code}\n")
    if remedy:
        sys.stderr.write(f"  try: {one_or_more_lines(remedy)}\n")


def one_or_more_lines(text: str) -> str:
    """Return a text fit for a terminal: what it quotes may hold control characters."""
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    room = "/".join(last.filename.replace("\\", "/").rsplit("/", 2)[-2:])
    return f" in {room}:{last.lineno}"
