"""``sandiwara audit verify``: whether an exported log holds, and if not, what is wrong, where and by whom."""

import argparse
from dataclasses import asdict
from pathlib import Path

from conformance.audit_verifier import report_lines, verify_folder
from console.exits import Exit
from console.screen import console, plain, write_json
from schemas.errors import InputError


def run(arguments: argparse.Namespace) -> int:
    """Verify an exported log; 1 if it does not hold.

    Raises:
        InputError: If there is no such folder.
    """
    folder = Path(arguments.folder)
    if not folder.is_dir():
        msg = f"{folder} is no folder"
        raise InputError(msg, remedy="give the folder 'log' that 'sandiwara run' wrote")
    report = verify_folder(folder)
    if arguments.json:
        write_json(asdict(report))
    else:
        screen = console()
        for line in report_lines(report):
            screen.print(plain(line), soft_wrap=True)
    return Exit.NO if report.findings else Exit.OK
