"""``sandiwara enrol``: the folder of an agency that comes into a region while it runs, and its card."""

import argparse
from pathlib import Path

from console.passwords import given_password, unlocking_password
from console.screen import console, plain, write_json
from scenarios.accession import enrol_agency
from scenarios.deployed import broker_folder
from scenarios.deployment import CARD_FILE, LINK_AUTHORITY, PASSWORDS, Locks
from sealing.entropy import SystemEntropy
from transport.clock import SystemClock


def run(arguments: argparse.Namespace) -> int:
    """Make the folder.

    Raises:
        InputError: If the id is none or is taken, or a file of the region is missing or damaged.
        KeyFileError: If the link authority's key does not open.
        StoreError: If something cannot be written.
    """
    region = Path(arguments.folder)
    broker_folder(region)  # before anybody is asked for a password
    keys = region if arguments.keys is None else Path(arguments.keys)
    made = region / PASSWORDS / LINK_AUTHORITY
    password = unlocking_password(arguments.password_file, made, what="the link authority's key")
    entropy = SystemEntropy()
    # As with 'init': the password that is given locks this file too, and where none is given one is made.
    locks = Locks(given=given_password(arguments.password_file), entropy=entropy)
    enrolled = enrol_agency(
        region, arguments.agency, keys=keys, authority_password=password, locks=locks, entropy=entropy,
        now_ms=SystemClock().now_ms(),
    )  # fmt: skip
    card, folder = enrolled.card, enrolled.folder
    if arguments.json:
        document = {
            "agency": card.agency, "folder": str(folder), "card": str(folder / CARD_FILE),
            "fingerprint": card.fingerprint,
            "password": str(region / PASSWORDS / card.agency) if locks.made else None,
        }  # fmt: skip
        write_json(document)
        return 0
    screen = console()
    screen.print(plain(f"{folder}: {card.agency}, with the key {card.fingerprint}"), soft_wrap=True)
    text = f"  {folder / CARD_FILE} is for the authorities; nobody knows {card.agency} until they have signed"
    screen.print(plain(text), soft_wrap=True)
    propose = f"sandiwara bundle propose {region} --pack PACK --enrol {folder / CARD_FILE} --out next"
    screen.print(plain(f"  {propose}"), soft_wrap=True)
    return 0
