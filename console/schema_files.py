"""``sandiwara schemas``: the shapes of all messages as JSON Schema files."""

import argparse
from pathlib import Path

from console.screen import console, plain, write_json
from schemas.errors import InputError
from schemas.export import SHAPES, write_schemas


def run(arguments: argparse.Namespace) -> int:
    """Write the files into a folder that holds nothing else."""
    folder = Path(arguments.folder)
    written = sorted(f"{name}.json" for name in SHAPES)
    try:
        # The writer removes what is no schema any more, so it is let loose only where there is nothing else to lose.
        strange = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        strangers = [name for name in strange if name not in written]
        if strangers:
            msg = f"{folder} holds other files, such as {strangers[0]}"
            raise InputError(msg, remedy="give a new folder, or one that holds schemas alone")
        write_schemas(folder)
    except OSError as error:
        msg = f"{folder} cannot be written: {error.strerror}"
        raise InputError(msg, remedy="give a folder that is yours") from error
    if arguments.json:
        write_json({"folder": str(folder), "files": written})
    else:
        console().print(plain(f"{len(written)} schemas written to {folder}"))
    return 0
