"""A node's outgoing folder: reports that wait for a node to send them, each handed over whole and sent once.

``send`` lays a file here in one step. A node takes the files in order of their names, sends each, and only then removes
it; the file's name is the cause in the node's own record, so that one that was sent just before a crash is not sent
again.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.errors import CapacityError, InputError, KeyFileError
from sealing.entropy import Entropy
from sealing.keyfile import write_private

CAUSE: Final = "outgoing:"
_SUFFIX: Final = ".report"
_REFUSED: Final = ".refused"
_WAITING_MAX: Final = 1_000  # a desk that is so far behind its node should look why
_NAME_CHARS_MAX: Final = 4_096  # a path; each problem that is found names it
_FILE_BYTES_MAX: Final = 8 * 1024 * 1024  # a report file of 1 MiB, quoted in JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A report that waits: whom it means beside what it says itself, and its bytes as they were written."""

    path: Path
    name: str
    to: tuple[str, ...]
    text: str

    @property
    def cause(self) -> str:
        """What the node's record names as the cause."""
        return CAUSE + self.path.name


def hand_over(folder: Path, *, name: str, text: str, to: tuple[str, ...], now_ms: int, entropy: Entropy) -> Path:
    """Lay a report into a node's outgoing folder; it is there whole or not at all.

    Raises:
        CapacityError: If too many wait already.
        KeyFileError: If it cannot be written.
    """
    try:
        waiting = sum(1 for _ in folder.glob(f"*{_SUFFIX}"))
        if waiting >= _WAITING_MAX:
            msg = f"{waiting} reports wait in {folder} already"
            raise CapacityError(msg, remedy="start the agency's node, and see why they are not sent")
        # Names sort by the time of writing; what follows keeps two of one millisecond apart.
        path = folder / f"{now_ms:015d}-{entropy.take(6).hex()}{_SUFFIX}"
        write_private(path, json.dumps({"name": name, "to": to, "text": text}).encode())
    except OSError as error:
        msg = f"{folder} cannot be written: {error.strerror}"
        raise KeyFileError(msg, remedy="give a region's folder that is yours") from error
    return path


def read_waiting(folder: Path) -> list[Path]:
    """Return the reports that wait, oldest first."""
    try:
        return sorted(folder.glob(f"*{_SUFFIX}"))
    except OSError:
        return []


def read_one(path: Path) -> Waiting:
    """Read a report that waits.

    Raises:
        InputError: If it is not as ``hand_over`` wrote it.
    """
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_FILE_BYTES_MAX))
        name, to, text = document["name"], document["to"], document["text"]
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise InputError(msg, remedy="check whose file it is") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        msg = f"{path} is no report that 'sandiwara send' wrote"
        raise InputError(msg, remedy="hand it over by 'sandiwara send'") from error
    if not (isinstance(name, str) and len(name) <= _NAME_CHARS_MAX and isinstance(text, str) and isinstance(to, list)):
        msg = f"{path} is no report that 'sandiwara send' wrote"
        raise InputError(msg, remedy="hand it over by 'sandiwara send'")
    waiting = Waiting(path=path, name=name, to=tuple(str(item) for item in to), text=text)
    try:
        "".join((name, text, *waiting.to)).encode()
    except UnicodeEncodeError as error:
        msg = f"{path} holds half a character"
        raise InputError(msg, remedy="hand it over by 'sandiwara send'") from error
    return waiting


def set_aside(path: Path) -> Path:
    """Rename a report that cannot be sent, so that it does not stand in the way of others."""
    aside = path.with_suffix(_REFUSED)
    path.replace(aside)
    return aside
