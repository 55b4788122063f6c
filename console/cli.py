"""The command ``sandiwara``: reads the command line, runs one command, and shows whatever goes wrong in two lines.

Nothing heavy is imported before a command is known, so that help and completion answer at once. An error that was
raised on purpose says what is wrong and what to do; any other is a bug, and shows one line without a word of content.
"""

import atexit
import signal
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; nothing is raised but for a second Ctrl-C."""
    debug = False
    reporting = sys.unraisablehook
    sys.unraisablehook = _not_lost
    try:
        # Inside, so that a Ctrl-C while Python still reads files ends as cleanly as a later one.
        from console.dispatch import run_command, wants_debug

        words = sys.argv[1:] if arguments is None else arguments
        debug = wants_debug(words)
        code = run_command(words)
        sys.stdout.flush()
        # All is done and written: a Ctrl-C while the interpreter takes itself apart stops nothing any more.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
        return code
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        return _broken_pipe()
    except BaseException as error:  # noqa: BLE001 - the last door: what gets past it is a traceback in a user's face
        from console.failures import show_failure

        try:
            return show_failure(error, debug=debug)
        except KeyboardInterrupt:
            return _interrupted()
        except BrokenPipeError:
            return _broken_pipe()
    finally:
        sys.unraisablehook = reporting


def _not_lost(unraisable: "sys.UnraisableHookArgs") -> None:
    """Take a Ctrl-C that fell into a callback which can raise nothing, and let it come once more, where it counts."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        import _thread

        _thread.interrupt_main()
    else:
        sys.__unraisablehook__(unraisable)


def _interrupted() -> int:
    # A Ctrl-C in code that was compiled from a text, as dataclasses do when they are imported, leaves a mark by which
    # the interpreter ends by the signal in spite of the exit code; the next such code to run takes the mark away.
    exec("")  # noqa: S102 - it runs nothing
    sys.stderr.write("\nsandiwara: stopped\n")
    return 130


def _broken_pipe() -> int:
    """Let the interpreter's last flush go nowhere: whoever read the output has gone, which is no error of ours."""
    import os

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return 141


if __name__ == "__main__":
    sys.exit(main())
