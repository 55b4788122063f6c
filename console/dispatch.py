"""From words to a command: builds the grammar, and imports the one module that the command needs."""

import argparse
import importlib
import importlib.util
import signal
import sys
from typing import Final

from console.commands import add_commands
from console.exits import MEANINGS
from console.parser import COMMON_DEFAULTS, HelpFormat, Parser, common_options

_DESCRIPTION: Final = """\
Sandiwara rehearses the passing of secret news between the agencies of a region: sealed threat reports go through a
broker that cannot read them, to whoever needs to know, and everything is measured."""

_EXAMPLES: Final = """\
examples:
  sandiwara packs                                         the exercises that come with it
  sandiwara share report.json --as mys-cert               who would receive which portion of a STIX or MISP file
  sandiwara explain strait-lantern --from sgp-mar --label track --to tha-mar
  sandiwara init region-a --pack strait-lantern           keys, certificates and folders for separate machines

A command's own options: sandiwara COMMAND --help
Set NO_COLOR for output without colour."""


def wants_debug(words: list[str]) -> bool:
    """Tell whether a command line asks for tracebacks, before it is known to be one that can be meant."""
    return "--debug" in words


def run_command(words: list[str]) -> int:
    """Run one command line.

    Raises:
        UsageError: If it cannot be meant.
        SandiwaraError: Whatever the command raises.
    """
    # Output is for terminals, files and pipes of every kind; a character that one cannot show is no reason to fail.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    parser = build_parser(words)
    arguments = parser.parse_args(words, argparse.Namespace(**COMMON_DEFAULTS))
    if arguments.command is None:
        parser.print_help()
        return 0
    if arguments.command == "completion":
        return _complete(arguments.shell)
    from console.logs import set_up_logging

    set_up_logging(level=arguments.log_level, style=arguments.log_format)
    # A broker or node that is told to end has ended well; the loops of those commands take the signal themselves.
    signal.signal(signal.SIGTERM, _terminated)
    command = importlib.import_module(arguments.module)
    return int(command.run(arguments))


def _terminated(_number: int, _frame: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def build_parser(words: list[str]) -> Parser:
    """Return the grammar; the arguments of ``run`` are asked of its own module, and only where they are needed."""
    parser = Parser(
        prog="sandiwara", description=_DESCRIPTION, epilog=_epilog(), formatter_class=HelpFormat, allow_abbrev=False
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and stop")
    parser.set_defaults(command=None)
    add_commands(
        parser, common=common_options(), with_run=_run_is_here(), whole="run" in words or "completion" in words
    )
    return parser


def _run_is_here() -> bool:
    return importlib.util.find_spec("console.run") is not None


def _epilog() -> str:
    lines = [f"  {code.value:>3}  {text}" for code, text in MEANINGS.items()]
    return "\n".join([_EXAMPLES, "", "exit codes:", *lines])


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_ignored: object) -> None:
        import importlib.metadata

        sys.stdout.write(f"sandiwara {importlib.metadata.version('sandiwara')}\n")
        parser.exit()


def _complete(shell: str) -> int:
    """Write the completion script of a shell."""
    import shtab

    # shtab reads the grammar of a parser; the name must be that of the command, wherever this was called from.
    script = shtab.complete(build_parser(["completion"]), shell=shell)
    sys.stdout.write(script + "\n")
    return 0
