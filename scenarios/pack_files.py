"""The files of a pack, read once into memory: nothing later touches the disk, so nothing can change or lead astray.

A pack comes from elsewhere. Links, special files, hidden files and anything beyond the bounds are refused or left out
here; a path that a planner writes is afterwards only a key into what was read.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from scenarios.problems import FILE_BYTES_MAX, Mark, PackTextError
from schemas.errors import InputError

FILES_MAX: Final = 1_000  # as for a zipped pack
PACK_BYTES_MAX: Final = 16 * 1024 * 1024
FOLDER_DEPTH_MAX: Final = 4
PACK_FILE: Final = "pack.yaml"
# What a rehearsal of the pack gave is not part of what is played; it may hold the digest itself.
_NOT_PLAYED: Final = "rehearsal"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackFiles:
    """The bytes of every file, by path relative to the pack.

    Attributes:
        path: As the planner gave it.
        name: What the pack is called in messages.
        main: The file that everything hangs on; places that lie nowhere are shown there.
        alone: Whether that one file is the whole pack.
        contents: What was read.
    """

    path: Path
    name: str
    main: str
    alone: bool
    contents: dict[str, bytes]

    @property
    def digest(self) -> str:
        """The hex BLAKE2b-256 over paths and bytes, each with its length before it so that nothing can shift."""
        total = hashlib.blake2b(digest_size=32, person=b"sandiwara-pack")
        for relative, raw in sorted(self.contents.items()):
            for part in (relative.encode(), raw):
                total.update(len(part).to_bytes(8, "big"))
                total.update(part)
        return total.hexdigest()

    def fetch(self, relative: str, mark: Mark) -> bytes:
        """Return a file that the planner names.

        Raises:
            PackTextError: If the pack holds no such file, or the path leads out of it.
        """
        parts = PurePosixPath(relative).parts
        if relative.startswith("/") or "\\" in relative or ".." in parts:
            msg = f"'{relative[:80]}' leads out of the pack"
            raise PackTextError(mark, msg, "name a file inside the pack, such as content/E01.md", code="path")
        raw = self.contents.get(str(PurePosixPath(relative)))
        if raw is None:
            msg = f"the pack has no file '{relative[:80]}'"
            remedy = "a pack of one file has no content folder; load its folder" if self.alone else "check the spelling"
            raise PackTextError(mark, msg, remedy, code="no-file")
        return raw


def read_pack_files(path: Path) -> PackFiles:
    """Read a pack: a folder with ``pack.yaml`` in it, or one YAML file that holds everything.

    Raises:
        InputError: If there is none, it leads out of itself, or it is larger than packs are.
    """
    try:
        if path.is_file():
            raw = _read_file(path, path.name)
            return PackFiles(path=path, name=path.stem, main=path.name, alone=True, contents={path.name: raw})
        if not path.is_dir():
            msg = f"there is no pack at {path}"
            raise InputError(msg, remedy="give the folder of a pack, or its pack.yaml")
        if not (path / PACK_FILE).is_file():
            msg = f"{path} holds no {PACK_FILE}, so it is no pack"
            raise InputError(msg, remedy="give the folder that holds pack.yaml")
        return PackFiles(path=path, name=path.resolve().name, main=PACK_FILE, alone=False, contents=_read_folder(path))
    except OSError as error:
        msg = f"the pack at {path} cannot be read: {error.strerror or error}"
        raise InputError(msg, remedy="check that the files exist and may be read by you") from error


def _read_folder(root: Path) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    total_bytes = 0
    waiting: list[tuple[Path, int]] = [(root, 0)]
    while waiting:
        folder, depth = waiting.pop()
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        for entry in listed:
            relative = Path(entry.path).relative_to(root).as_posix()
            if entry.name.startswith(".") or relative == _NOT_PLAYED:
                continue
            _refuse_strange(entry, relative, depth)
            if entry.is_dir(follow_symlinks=False):
                waiting.append((Path(entry.path), depth + 1))
                continue
            contents[relative] = _read_file(Path(entry.path), relative)
            total_bytes += len(contents[relative])
            if len(contents) > FILES_MAX or total_bytes > PACK_BYTES_MAX:
                msg = f"the pack is larger than {FILES_MAX:,} files or {PACK_BYTES_MAX // 1024**2} MiB"
                raise InputError(msg, remedy="move what the exercise does not need out of the folder")
    return contents


def _refuse_strange(entry: "os.DirEntry[str]", relative: str, depth: int) -> None:
    """Refuse links and special files: a link may lead out of the pack, a pipe never ends."""
    if not relative.isprintable():
        msg = f"the pack holds a file with an unprintable name: {relative!a}"
        raise InputError(msg, remedy="rename it")
    if entry.is_symlink():
        msg = f"{relative} is a link; a pack holds plain files only"
        raise InputError(msg, remedy="copy the file into the pack")
    if entry.is_dir(follow_symlinks=False):
        if depth >= FOLDER_DEPTH_MAX:
            msg = f"{relative} lies more than {FOLDER_DEPTH_MAX} folders deep"
            raise InputError(msg, remedy="flatten the pack")
    elif not entry.is_file(follow_symlinks=False):
        msg = f"{relative} is neither a file nor a folder"
        raise InputError(msg, remedy="remove it from the pack")


def _read_file(path: Path, relative: str) -> bytes:
    """Read at most the bound and one byte more, whatever size the file claims to have."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(path, flags), "rb") as stream:  # noqa: PTH123 - a descriptor that follows no link
        raw = stream.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        msg = f"{relative} has more than {FILE_BYTES_MAX:,} bytes"
        raise InputError(msg, remedy="split it, or move it out of the pack")
    return raw
