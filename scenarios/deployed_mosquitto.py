"""A deployed region's files for Mosquitto: what the broker's part holds, made into a folder that Mosquitto starts from.

The folder stands alone: certificate and key are copied into it, so that Mosquitto, which is trusted with nothing, need
not be let into the folder of the router.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scenarios.deployed import read_shared
from scenarios.deployment import CERTIFICATE_FILE, CERTIFICATE_KEY_FILE, LINK_AUTHORITY_FILE, LINKS_FILE
from scenarios.enrolment import ROUTER
from scenarios.mosquitto import (
    ACCESS_FILE,
    AUTHORITY_FILE,
    BROKER_CERTIFICATE_FILE,
    BROKER_CERTIFICATE_KEY_FILE,
    CONFIGURATION_FILE,
    PASSWORDS_FILE,
    Listener,
    access_text,
    configuration_text,
    is_password_entry,
    passwords_text,
)
from scenarios.part_files import RESTORE, read_part_file, read_part_json
from schemas.errors import InputError
from sealing.keyfile import write_private

_COPIED: Final = {
    CERTIFICATE_FILE: BROKER_CERTIFICATE_FILE,
    CERTIFICATE_KEY_FILE: BROKER_CERTIFICATE_KEY_FILE,
    LINK_AUTHORITY_FILE: AUTHORITY_FILE,
}
_ALL: Final = (CONFIGURATION_FILE, ACCESS_FILE, PASSWORDS_FILE, *_COPIED.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What was written, and for how many."""

    configuration: Path
    files: tuple[Path, ...]
    agencies: tuple[str, ...]


def render_mosquitto(
    part: Path, into: Path, *, listener: Listener, lies_in: Path, version: str, replace: bool, now_ms: int
) -> Rendered:
    """Write Mosquitto's files for a region, each of mode 0600.

    Args:
        part: The broker's part of the region.
        into: The folder to write to; made if need be.
        listener: Where Mosquitto is to listen.
        lies_in: Where the folder will be when Mosquitto reads it.
        version: One of ``scenarios.mosquitto.VERSIONS``.
        replace: Whether files that are there may be overwritten.
        now_ms: Unix time in ms, since the bundle must hold.

    Raises:
        InputError: If a file of the part is missing or damaged, one is there already, or one cannot be written.
    """
    bundle = read_shared(part, now_ms=now_ms).bundle
    agencies = tuple(item.agency for item in bundle.agencies if item.status == "active")
    contents: dict[str, bytes] = {
        CONFIGURATION_FILE: configuration_text(listener, folder=str(lies_in), version=version).encode(),
        ACCESS_FILE: access_text(agencies, router=ROUTER).encode(),
    }
    if listener.tls:
        contents |= {name: read_part_file(part / source) for source, name in _COPIED.items()}
    else:
        contents[PASSWORDS_FILE] = passwords_text(_entries(part / LINKS_FILE, (*agencies, ROUTER))).encode()
    _write(into, contents, replace=replace)
    return Rendered(
        configuration=into / CONFIGURATION_FILE, files=tuple(into / name for name in contents), agencies=agencies
    )


def _entries(path: Path, users: Iterable[str]) -> dict[str, str]:
    held = read_part_json(path).get("mosquitto")
    entries = held if isinstance(held, dict) else {}
    for user in users:
        if not is_password_entry(entries.get(user)):
            msg = f"{path} holds no hash of the link password of {user} for Mosquitto"
            raise InputError(msg, remedy=f"{RESTORE}; one made by an earlier version has none, and is made anew")
    return {user: entries[user] for user in users}


def _write(into: Path, contents: Mapping[str, bytes], *, replace: bool) -> None:
    try:
        there = [name for name in _ALL if (into / name).exists()]
        if there and not replace:
            msg = f"{into / there[0]} is there already"
            raise InputError(msg, remedy="give another folder by --out, or --replace to write over it")
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What only the other way of listening needs does not lie about.
        for name in there:
            if name not in contents:
                (into / name).unlink()
        for name, content in contents.items():
            write_private(into / name, content)
    except OSError as error:
        msg = f"{into} cannot be written: {error.strerror}"
        raise InputError(msg, remedy="give a folder of your own by --out") from error
