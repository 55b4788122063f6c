"""A node's outgoing folder: reports and acts that wait for a node, each handed over whole and carried out once.

``send`` and ``desk`` lay a file here in one step. A node takes the files in order of their names, does each, and only
then removes it; the file's name is the cause in the node's own record, so that what was done just before a crash is not
done again.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from console.desk_acts import ACT_BYTES_MAX, Act, read_act, write_act
from schemas.errors import CapacityError, InputError, KeyFileError, RemoteError
from sealing.entropy import Entropy
from sealing.keyfile import write_private

CAUSE: Final = "outgoing:"
_SUFFIX: Final = ".report"
_ACT_SUFFIX: Final = ".act"
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
        return cause_of(self.path)


def hand_over(folder: Path, *, name: str, text: str, to: tuple[str, ...], now_ms: int, entropy: Entropy) -> Path:
    """Lay a report into a node's outgoing folder; it is there whole or not at all.

    Raises:
        CapacityError: If too many wait already.
        KeyFileError: If it cannot be written.
    """
    written = json.dumps({"name": name, "to": to, "text": text}).encode()
    return _lay(folder, written, _SUFFIX, now_ms=now_ms, entropy=entropy)


def hand_over_act(folder: Path, act: Act, *, now_ms: int, entropy: Entropy) -> Path:
    """Lay an act into a node's outgoing folder; raises as ``hand_over``.

    Raises:
        InputError: Also if a field is too long or cannot be meant.
    """
    return _lay(folder, write_act(act), _ACT_SUFFIX, now_ms=now_ms, entropy=entropy)


def _lay(folder: Path, written: bytes, suffix: str, *, now_ms: int, entropy: Entropy) -> Path:
    try:
        waiting = len(_waiting(folder))
        if waiting >= _WAITING_MAX:
            msg = f"{waiting} files wait in {folder} already"
            raise CapacityError(msg, remedy="start the agency's node, and see why they are not sent")
        # Names sort by the time of writing; what follows keeps two of one millisecond apart.
        path = folder / f"{now_ms:015d}-{entropy.take(6).hex()}{suffix}"
        write_private(path, written)
    except OSError as error:
        msg = f"{folder} cannot be written: {error.strerror}"
        raise KeyFileError(msg, remedy="give a region's folder that is yours") from error
    return path


def read_waiting(folder: Path) -> list[Path]:
    """Return the files that wait, oldest first."""
    try:
        return sorted(_waiting(folder))
    except OSError:
        return []


def read_set_aside(folder: Path) -> list[Path]:
    """Return the files that were set aside, oldest first."""
    try:
        return sorted(folder.glob(f"*{_REFUSED}"))
    except OSError:
        return []


def is_act(path: Path) -> bool:
    """Tell an act from a report."""
    return path.suffix == _ACT_SUFFIX


def cause_of(path: Path) -> str:
    """Return what the node's record names as the cause of what a file brought about."""
    return CAUSE + path.name


def _waiting(folder: Path) -> list[Path]:
    return [path for suffix in (_SUFFIX, _ACT_SUFFIX) for path in folder.glob(f"*{suffix}")]


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


def read_act_file(path: Path) -> Act:
    """Read an act that waits.

    Raises:
        InputError: If it is not as ``hand_over_act`` wrote it.
    """
    try:
        with path.open("rb") as file:
            return read_act(file.read(ACT_BYTES_MAX + 1))
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise InputError(msg, remedy="check whose file it is") from error
    except RemoteError as error:
        msg = f"{path} is no act that 'sandiwara desk' wrote"
        raise InputError(msg, remedy="hand it over by 'sandiwara desk'") from error


def set_aside(path: Path) -> Path:
    """Rename a report or act that cannot be carried out, so that it does not stand in the way of others."""
    aside = path.with_suffix(_REFUSED)
    path.replace(aside)
    return aside
