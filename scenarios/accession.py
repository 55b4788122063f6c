"""One agency more in a region that runs: its keys, its folder, and the card by which the authorities take it in.

``enrol_agency`` makes a node's part as ``init`` does, from the link authority's key. Nobody in the region knows the
agency by that: it comes in with the version of the bundle that names its key (scenarios/enrolment.py), which the
authorities sign from its card. Joining gives no past traffic (H18).
"""

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agencies.keyring import new_key_ring
from scenarios.bundle_files import HeldBundle, authority_key_file, held_bundle
from scenarios.certificates import Issued, LinkAuthority, Validity, check_certificate
from scenarios.deployed import broker_folder, read_settings
from scenarios.deployment import (
    AGENCY_KEY_FILE,
    BUNDLE_FILE,
    CARD_FILE,
    CERTIFICATE_FILE,
    LINK_AUTHORITY,
    LINK_AUTHORITY_FILE,
    LINKS_FILE,
    NODES,
    PASSWORDS,
    SETTINGS_FILE,
    Locks,
    write_json,
    write_node_files,
)
from scenarios.enrolment import ROUTER
from scenarios.link_passwords import add_link, new_link_password
from scenarios.part_files import read_part_file, read_part_json
from schemas.errors import InputError, RemoteError, StoreError
from schemas.limits import CLOCK_SKEW_MS_MAX, SIGN_KEY_BYTES
from schemas.topics import is_agency_id
from sealing.entropy import Entropy
from sealing.keyfile import MODERATE, read_key_file, write_key_file, write_private
from sealing.keys import sign_pair_from_seed
from sealing.proposals import Proposal, pack_proposal, read_proposal

_FINGERPRINT_BYTES: Final = 10  # 80 bits, read out over a telephone in five groups: who finds a second one has no haste


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What the authorities are given of an agency that wants to come in: its name and the key that it signs with."""

    agency: str
    key: bytes

    @property
    def fingerprint(self) -> str:
        """The key in short, to be compared by another way than the card came."""
        text = hashlib.sha256(self.agency.encode() + b"\x00" + self.key).digest()[:_FINGERPRINT_BYTES].hex()
        return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """An agency that waits to be taken in, and its folder."""

    card: Card
    folder: Path


def enrol_agency(
    region: Path, agency: str, *, keys: Path, authority_password: bytes, locks: Locks, entropy: Entropy, now_ms: int
) -> Enrolled:
    """Make an agency's part of a region that is there already, whole or not at all.

    Args:
        region: The region's folder.
        agency: Its id, which nobody has.
        keys: Where the link authority's key lies: the region's folder, or its folder ``authorities`` alone.
        authority_password: What that key is locked with.
        locks: What the agency's own key file is to be locked with.
        entropy: Where its keys come from.
        now_ms: Unix time in ms.

    Raises:
        InputError: If the id is none or is taken, or a file of the region is missing or damaged.
        KeyFileError: If the link authority's key does not open, or is of another region.
        StoreError: If something cannot be written; nothing is left behind.
    """
    held = held_bundle(region)
    _refuse_known(held, region, agency)
    broker = broker_folder(region)
    certificate = _certify(agency, held, keys, authority_password, entropy=entropy, now_ms=now_ms)
    ring, link_password = new_key_ring(agency, entropy), new_link_password(entropy)
    card = Card(agency=agency, key=sign_pair_from_seed(ring.sign_seed).public)
    nodes, password = region / NODES, locks.password_of(agency)
    try:
        nodes.mkdir(mode=0o700, exist_ok=True)
        being_made = Path(tempfile.mkdtemp(prefix=f".{agency}-", dir=nodes))
        try:
            folder = being_made / agency
            write_node_files(
                folder, signed_bundle=pack_proposal(held.proposal), root=held.root,
                settings=read_settings(broker / SETTINGS_FILE), password=link_password, certificate=certificate,
                authority=read_part_file(broker / LINK_AUTHORITY_FILE),
            )  # fmt: skip
            check_certificate(folder / CERTIFICATE_FILE, folder / LINK_AUTHORITY_FILE, name=agency, at_ms=now_ms)
            write_json(folder / CARD_FILE, {"format": 1, "agency": agency, "sign_key": card.key.hex()})
            write_key_file(folder / AGENCY_KEY_FILE, ring, password=password, cost=MODERATE, entropy=entropy)
            # First what does no harm alone: a password by which nobody comes in before a bundle names its agency.
            add_link(broker / LINKS_FILE, agency, link_password, entropy=entropy)
            for name, made in locks.made.items():
                (region / PASSWORDS).mkdir(mode=0o700, exist_ok=True)
                write_private(region / PASSWORDS / name, made + b"\n")
            folder.replace(nodes / agency)
        finally:
            shutil.rmtree(being_made, ignore_errors=True)
    except OSError as error:
        msg = f"{nodes / agency} cannot be made: {error.strerror}"
        raise StoreError(msg, remedy="check that the disk has room, and that the region's folder is yours") from error
    return Enrolled(card=card, folder=nodes / agency)


def _refuse_known(held: HeldBundle, region: Path, agency: str) -> None:
    if not is_agency_id(agency) or agency == ROUTER:
        msg = f"{agency[:40]!a} is no id for an agency"
        raise InputError(msg, remedy="take lower-case letters, digits and hyphens, such as tls-mar")
    if any(item.agency == agency for item in held.proposal.bundle.agencies):
        msg = f"{agency} is in the region already"
        raise InputError(msg, remedy="what it stands in is changed by 'sandiwara bundle propose'")
    if (region / NODES / agency).exists():
        msg = f"{region / NODES / agency} is there already"
        raise InputError(msg, remedy=f"take it in by its {CARD_FILE}, or remove the folder and enrol it anew")


def _certify(agency: str, held: HeldBundle, keys: Path, password: bytes, *, entropy: Entropy, now_ms: int) -> Issued:
    path = authority_key_file(keys, LINK_AUTHORITY)
    seed = read_key_file(path, name=LINK_AUTHORITY, password=password).sign_seed
    # Every certificate ends with the first bundle, since every version of the bundle does.
    validity = Validity(begin_ms=now_ms - CLOCK_SKEW_MS_MAX, end_ms=held.proposal.bundle.expires)
    return LinkAuthority(seed=seed, validity=validity, entropy=entropy).client(agency)


def read_card(path: Path) -> Card:
    """Read an agency's card; what it says is for the authorities to believe, by its fingerprint.

    Raises:
        InputError: If it is missing, or is none.
    """
    document = read_part_json(path)
    agency, key = document.get("agency"), document.get("sign_key")
    try:
        read = bytes.fromhex(key) if isinstance(key, str) else b""
    except ValueError:
        read = b""
    if not isinstance(agency, str) or not is_agency_id(agency) or len(read) != SIGN_KEY_BYTES:
        msg = f"{path} is no card of an agency"
        raise InputError(msg, remedy=f"give the {CARD_FILE} that 'sandiwara enrol' wrote into the agency's folder")
    return Card(agency=agency, key=read)


def furnish(region: Path, installed: Proposal) -> tuple[str, ...]:
    """Put a bundle that was installed into the folders of the agencies that come in with it; returns which.

    Raises:
        StoreError: If it cannot be written.
    """
    named = {item.agency for item in installed.bundle.agencies}
    furnished = []
    for card in sorted((region / NODES).glob(f"*/{CARD_FILE}")):
        agency, path = card.parent.name, card.parent / BUNDLE_FILE
        try:
            before = {item.agency for item in read_proposal(read_part_file(path)).bundle.agencies}
        except (InputError, RemoteError):
            before = set()
        if agency in named - before:
            try:
                write_private(path, pack_proposal(installed))
            except OSError as error:
                msg = f"{path} cannot be written: {error.strerror}"
                raise StoreError(
                    msg, remedy="the version is installed: copy the broker's file 'bundle' there"
                ) from error
            furnished.append(agency)
    return tuple(furnished)
