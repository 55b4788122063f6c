"""The bundle of a deployed region as a file: what is in force, what is proposed, and how the one becomes the other.

A running broker looks at its file every few seconds (scenarios/deployed_broker.py), so installing is writing that
file, and there is nothing to restart and no port to ask at.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from policy.community import Community
from scenarios.deployed import broker_folder, read_root
from scenarios.deployment import AUTHORITIES, BUNDLE_FILE
from scenarios.part_files import read_part_file
from schemas.bundle import TrustRoot
from schemas.errors import InputError, RemoteError, StoreError
from sealing.keyfile import read_key_file, write_private
from sealing.keys import SignPair, sign_pair_from_seed
from sealing.proposals import Proposal, pack_proposal, proved_authorities, read_proposal
from sealing.statements import read_bundle

_KEY_SUFFIX: Final = ".key"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBundle:
    """The bundle that lies in a region's folder, and the authorities that the region trusts."""

    path: Path
    proposal: Proposal
    root: TrustRoot


def read_bundle_file(path: Path) -> Proposal:
    """Read a version of the bundle, signed or not; what it says is not proved.

    Raises:
        InputError: If there is none.
    """
    try:
        return read_proposal(read_part_file(path))
    except RemoteError as error:
        msg = f"{path} is no bundle: {error}"
        raise InputError(
            msg, remedy="give what 'sandiwara bundle propose' wrote, or a region's file 'bundle'"
        ) from error


def write_bundle_file(path: Path, proposal: Proposal) -> None:
    """Write a version of the bundle, whole or not at all.

    Raises:
        StoreError: If it cannot be written.
    """
    try:
        write_private(path, pack_proposal(proposal))
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise StoreError(msg, remedy="choose a place that is yours, on a disk with room") from error


def held_bundle(region: Path) -> HeldBundle:
    """Read what lies in the broker's part of a region.

    Raises:
        InputError: If there is no such part, or a file of it is missing or damaged.
    """
    folder = broker_folder(region)
    path = folder / BUNDLE_FILE
    return HeldBundle(path=path, proposal=read_bundle_file(path), root=read_root(folder))


def authority_key_file(keys: Path, authority: str) -> Path:
    """Return where an authority's key lies: in a region's folder, or in that folder's ``authorities`` alone.

    Raises:
        InputError: If it lies in neither; with the authorities whose keys do.
    """
    for folder in (keys / AUTHORITIES, keys):
        if (folder / f"{authority}{_KEY_SUFFIX}").is_file():
            return folder / f"{authority}{_KEY_SUFFIX}"
    there = sorted(path.stem for folder in (keys / AUTHORITIES, keys) for path in folder.glob(f"*{_KEY_SUFFIX}"))
    msg = f"{keys} holds no key of an authority {authority!r}"
    raise InputError(
        msg, remedy=f"it holds: {', '.join(there)}" if there else "give the folder with the authorities' keys"
    )


def read_authority(path: Path, authority: str, *, password: bytes) -> SignPair:
    """Open an authority's key.

    Raises:
        KeyFileError: If the file does not open.
    """
    return sign_pair_from_seed(read_key_file(path, name=authority, password=password).sign_seed)


def install(region: Path, path: Path, *, now_ms: int) -> Proposal:
    """Prove a new version and put it where the region's broker finds it.

    Raises:
        InputError: If it is not signed by enough authorities, not newer than what is held, not in force now, or does
            not hold together.
        StoreError: If it cannot be written.
    """
    held, given = held_bundle(region), read_bundle_file(path)
    version, threshold = held.proposal.bundle.version, held.root.threshold
    try:
        proved = proved_authorities(given, held.root)
        if len(proved) < threshold:
            strangers = sorted(set(given.authorities) - set(proved))
            msg = f"{path} has {len(proved)} of {threshold} signatures" + (
                f"; this region does not know {', '.join(strangers)}" if strangers else ""
            )
            missing = [item.authority for item in held.root.authorities if item.authority not in proved]
            raise InputError(msg, remedy=f"have it signed by {' or '.join(missing)}: sandiwara bundle sign {path}")
        if given.bundle.version <= version:
            msg = f"{path} is version {given.bundle.version}, and the region has version {version}"
            raise InputError(msg, remedy="propose it anew, on top of what is held")
        read_bundle(pack_proposal(given), root=held.root, now_ms=now_ms, held_version=version)
    except RemoteError as error:
        msg = f"{path} is refused: {error}"
        raise InputError(msg, remedy="propose it anew, and have it signed again") from error
    Community.compile(given.bundle)
    write_bundle_file(held.path, given)
    return given
