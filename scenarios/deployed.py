"""What every part of a deployed region holds: where it lies, the bundle that it trusts, and how its broker is reached.

Everything that can be wrong with a folder (a part missing, files swapped, a wrong password, a bundle of another
region) is found in reading it, before any link is opened, and says which file. The broker's part is in
scenarios/deployed_broker.py, a node's in scenarios/deployed_node.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scenarios.certificates import check_host
from scenarios.deployment import AGENCY_KEY_FILE, BROKER, BUNDLE_FILE, NODES, ROOT_FILE, ROUTER_KEY_FILE, LinkSettings
from scenarios.part_files import RESTORE, read_part_file, read_part_json
from scenarios.problems import did_you_mean
from schemas.bundle import Bundle, TrustRoot
from schemas.codec import read_shape, unpack
from schemas.errors import InputError, RemoteError, UsageError
from schemas.limits import BUNDLE_BYTES_MAX
from schemas.topics import is_agency_id
from sealing.statements import read_bundle

BROKER_DATABASE: Final = "broker.sqlite"
NODE_DATABASE: Final = "node.sqlite"
_PORT_MAX: Final = 65_535


def broker_folder(folder: Path) -> Path:
    """Return the broker's part of a region's folder, or the folder itself if it is that part.

    Raises:
        InputError: If it is neither.
    """
    for found in (folder / BROKER, folder):
        if (found / ROUTER_KEY_FILE).exists():
            return found
    raise _no_part(folder, "the broker's part")


def node_folder(folder: Path, agency: str) -> Path:
    """Return an agency's part of a region's folder, or the folder itself if it is a node's part.

    Raises:
        InputError: If it is neither; with the agencies that were probably meant.
    """
    if (folder / AGENCY_KEY_FILE).exists():
        return folder
    if is_agency_id(agency) and (folder / NODES / agency / AGENCY_KEY_FILE).exists():
        return folder / NODES / agency
    try:
        known = sorted(path.parent.name for path in folder.glob(f"{NODES}/*/{AGENCY_KEY_FILE}"))
    except OSError:
        known = []
    if not known:
        raise _no_part(folder, "any node")
    msg = f"{folder} holds no node of '{agency[:40]}'"
    raise InputError(msg, remedy=did_you_mean(agency, known) or f"the nodes are in {folder / NODES}")


def _no_part(folder: Path, what: str) -> InputError:
    try:
        there = folder.is_dir()
    except OSError:
        there = False
    msg = f"{folder} does not hold {what} of a region" if there else f"there is no folder {folder}"
    return InputError(msg, remedy="give the folder that 'sandiwara init' made, or a part that was copied from it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What every part holds: the bundle, proved, and the authorities it is judged by."""

    bundle: Bundle
    signed_bundle: bytes
    root: TrustRoot


def read_shared(folder: Path, *, now_ms: int) -> Shared:
    """Read and prove the bundle of a part.

    Raises:
        InputError: If a file is missing or damaged, or the bundle does not hold now.
    """
    root = read_root(folder)
    signed = read_part_file(folder / BUNDLE_FILE)
    return Shared(
        bundle=prove_bundle(signed, folder / BUNDLE_FILE, root=root, now_ms=now_ms), signed_bundle=signed, root=root
    )


def read_root(folder: Path) -> TrustRoot:
    """Read the authorities that a part trusts.

    Raises:
        InputError: If the file is missing or damaged.
    """
    try:
        return read_shape(TrustRoot, unpack(read_part_file(folder / ROOT_FILE), bytes_max=BUNDLE_BYTES_MAX))
    except RemoteError as error:
        msg = f"{folder / ROOT_FILE} is damaged: {error}"
        raise InputError(msg, remedy=RESTORE) from error


def prove_bundle(signed: bytes, path: Path, *, root: TrustRoot, now_ms: int) -> Bundle:
    """Prove a bundle that a file holds.

    Raises:
        InputError: If it is damaged, not signed by enough authorities, or does not hold now.
    """
    try:
        return read_bundle(signed, root=root, now_ms=now_ms)
    except RemoteError as error:
        msg = f"the bundle in {path} is refused: {error}"
        raise InputError(msg, remedy=f"{RESTORE}; if it has expired, make the region anew") from error


def read_settings(path: Path) -> LinkSettings:
    """Read how nodes reach the broker.

    Raises:
        InputError: If the file is missing or damaged.
    """
    document = read_part_json(path)
    host, port, tls = document.get("host"), document.get("port"), document.get("tls")
    if not isinstance(host, str) or type(port) is not int or not isinstance(tls, bool):
        msg = f"{path} is damaged: host, port or tls is missing"
        raise InputError(msg, remedy=RESTORE)
    try:
        check_host(host)
    except UsageError as error:
        msg = f"{path} is damaged: {error}"
        raise InputError(msg, remedy=RESTORE) from error
    if not 1 <= port <= _PORT_MAX:
        msg = f"{path} is damaged: {port} is no port"
        raise InputError(msg, remedy=RESTORE)
    return LinkSettings(host=host, port=port, tls=tls)


def read_link_password(path: Path) -> str:
    """Read the password by which a node, or the router where it is a client, logs in on loopback.

    Raises:
        InputError: If the file is missing or damaged.
    """
    password = read_part_json(path).get("password")
    if not isinstance(password, str):
        msg = f"{path} is damaged: it holds no password"
        raise InputError(msg, remedy=RESTORE)
    return password
