"""The packs that come with Sandiwara, found by name."""

from pathlib import Path
from typing import Final

from scenarios.pack_files import PACK_FILE
from scenarios.problems import did_you_mean
from schemas.errors import InputError

SHIPPED: Final = Path(__file__).parent / "library"


def list_packs() -> tuple[str, ...]:
    """Return the names of the packs that are shipped, sorted."""
    return tuple(sorted(path.parent.name for path in SHIPPED.glob(f"*/{PACK_FILE}")))


def find_pack(name_or_path: str) -> Path:
    """Return where a pack lies: one of those shipped by its name, or whatever path the planner gives.

    Raises:
        InputError: If it is neither.
    """
    names = list_packs()
    if name_or_path in names:
        return SHIPPED / name_or_path
    path = Path(name_or_path)
    try:
        exists = path.exists()
    except (OSError, ValueError) as error:  # a name too long for a file, or with a null character in it
        msg = "this can be neither the name of a pack nor a path"
        raise InputError(msg, remedy=did_you_mean(name_or_path, names)) from error
    if exists:
        return path
    msg = f"there is no pack '{name_or_path}'"
    raise InputError(msg, remedy=did_you_mean(name_or_path, names) or f"shipped: {', '.join(names)}")
