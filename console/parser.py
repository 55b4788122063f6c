"""The command line's grammar: our way with errors, and the options that every command has.

Light on purpose: the standard library only, so that ``sandiwara --help`` answers at once.
"""

import argparse
import re
from typing import Any, Final, NoReturn

from schemas.errors import UsageError

LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LOG_FORMATS: Final = ("plain", "json")
_CHOICE: Final = re.compile(r"invalid choice: (?P<given>.+?) \(choose from (?P<known>.+)\)", re.DOTALL)
_MISSING: Final = "the following arguments are required"


class Parser(argparse.ArgumentParser):
    """An argument parser that raises our error, and knows what was probably meant."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the command line.

        Raises:
            UsageError: Always.
        """
        raise UsageError(self._in_words(message), remedy=self._remedy(message))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse what is not known in the command where it stands, which knows its own options.

        Raises:
            UsageError: If anything is left over.
        """
        parsed, strangers = super().parse_known_args(args, namespace)
        if strangers:
            self.error(f"unrecognized arguments: {' '.join(strangers)}")
        return parsed, strangers

    def _in_words(self, message: str) -> str:
        found = _CHOICE.search(message)
        if found is None:
            return message
        subject = message[: found.start()].removeprefix("argument ").rstrip(": ")
        return f"{found['given']} is no {'command' if subject == 'COMMAND' else f'value of {subject}'}"

    def _remedy(self, message: str) -> str:
        found = _CHOICE.search(message)
        known = [word.strip(" '") for word in found["known"].split(",")] if found is not None else self._options()
        given = found["given"].strip("'") if found is not None else _stranger(message)
        near = near_words(given, known) if given else []
        if near:
            return f"did you mean {' or '.join(near)}?"
        if found is not None:
            return f"one of: {', '.join(known)}"
        usage = " ".join(self.format_usage().split()).removeprefix("usage: ")
        return usage if message.startswith(_MISSING) else f"{self.prog} --help"

    def _options(self) -> list[str]:
        return [word for action in self._actions for word in action.option_strings if word.startswith("--")]


def _stranger(message: str) -> str:
    """Return the first option that argparse does not know, if that is the complaint."""
    _, found, rest = message.partition("unrecognized arguments: ")
    return rest.split()[0].partition("=")[0] if found and rest.startswith("--") else ""


def near_words(given: str, known: list[str]) -> list[str]:
    """Return the one or two known words nearest to what was given."""
    import difflib

    # Only so much is compared, since the cost grows with the square of the length.
    return difflib.get_close_matches(given[:64].lower(), known, n=2, cutoff=0.55)


def common_options() -> argparse.ArgumentParser:
    """Return the options that every command has; left out of the result where not given."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    group = common.add_argument_group("options of every command")
    group.add_argument("--json", action="store_true", help="write JSON for machines on stdout, and nothing else there")
    group.add_argument("--log-level", choices=LOG_LEVELS, help="how much to log on stderr (default: warning)")
    group.add_argument("--log-format", choices=LOG_FORMATS, help="log in plain lines or JSON lines (default: plain)")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return common


COMMON_DEFAULTS: Final = {"json": False, "log_level": "warning", "log_format": "plain", "debug": False}


class HelpFormat(argparse.RawDescriptionHelpFormatter):
    """Help text as written, since examples are lines, with room for our longer options."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)
