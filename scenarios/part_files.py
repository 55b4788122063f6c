"""The small files of a region's parts: read whole, bounded, and with a word on where to get a good one."""

import json
from pathlib import Path
from typing import Any, Final

from schemas.errors import InputError
from schemas.limits import BUNDLE_BYTES_MAX

RESTORE: Final = "restore it from the folder that 'sandiwara init' made"
_SETTINGS_BYTES_MAX: Final = 1024 * 1024  # the hashes of 2,048 link passwords, ours and Mosquitto's, take 500 KiB


def read_part_file(path: Path) -> bytes:
    """Read a file of a part; what is longer than any may be is cut one byte beyond.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(BUNDLE_BYTES_MAX + 1)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise InputError(msg, remedy=RESTORE) from error


def read_part_json(path: Path) -> dict[str, Any]:
    """Read a file of settings.

    Raises:
        InputError: If it cannot be read, or is no JSON object of format 1.
    """
    received = read_part_file(path)
    try:
        # Longer than it may be, it is cut, and then no JSON.
        document = json.loads(received[:_SETTINGS_BYTES_MAX])
    except (ValueError, RecursionError) as error:
        msg = f"{path} is damaged: it is no JSON"
        raise InputError(msg, remedy=RESTORE) from error
    if not isinstance(document, dict) or document.get("format", 1) != 1:
        msg = f"{path} is damaged, or of a later version"
        raise InputError(msg, remedy=RESTORE)
    return document
