"""Who may log in at a region's broker by a link password: the hashes in the broker's part, and how one is checked.

Link passwords serve on loopback; off it a client certificate proves who connects. Mosquitto's own hashes lie beside
ours, since the passwords have gone to other machines by the time it is set up.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from scenarios.mosquitto import HASH_SALT_BYTES, password_entry
from scenarios.part_files import RESTORE, read_part_json
from schemas.errors import InputError
from sealing.entropy import Entropy
from sealing.keyfile import write_private

_LINK_PASSWORD_BYTES: Final = 18


class LinkPasswords:
    """The hashes of a running broker.

    Args:
        path: The file that they lie in.

    Raises:
        InputError: If it is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.read_anew()

    def __repr__(self) -> str:
        return f"LinkPasswords({self._path})"

    def read_anew(self) -> None:
        """Take up whoever was enrolled since; raises as the constructor does, and then keeps what it had."""
        links = read_part_json(self._path)
        salt, hashes = links.get("salt"), links.get("hashes")
        if not isinstance(salt, str) or not isinstance(hashes, dict):
            msg = f"{self._path} is damaged: it holds no link passwords"
            raise InputError(msg, remedy=RESTORE)
        self._salt = salt
        self._hashes = {name: text for name, text in hashes.items() if isinstance(text, str)}

    def holds(self, agency: str, password: str) -> bool:
        """Tell whether a password is an agency's; of an agency that is not here none is."""
        expected = self._hashes.get(agency, "")
        return hmac.compare_digest(expected.encode(), _hash(agency, password, self._salt).encode())


def new_link_password(entropy: Entropy) -> str:
    """Return a password of 144 random bits."""
    return entropy.take(_LINK_PASSWORD_BYTES).hex()


def links_document(passwords: Mapping[str, str], *, router: tuple[str, str], entropy: Entropy) -> dict[str, Any]:
    """Return what the broker keeps of the passwords of all agencies, and of its router's at a general broker.

    The router logs in there only: the embedded broker has it inside, and knows no such user.
    """
    salt = entropy.take(16).hex()
    entries = sorted([*passwords.items(), router])
    return {
        "salt": salt,
        "hashes": {name: _hash(name, text, salt) for name, text in sorted(passwords.items())},
        "mosquitto": {name: password_entry(text, entropy.take(HASH_SALT_BYTES)) for name, text in entries},
    }


def add_link(path: Path, agency: str, password: str, *, entropy: Entropy) -> None:
    """Let one agency more log in; one that is there already gets this password in place of its own.

    Raises:
        InputError: If the file is missing or damaged.
        OSError: If it cannot be written.
    """
    links = read_part_json(path)
    salt, hashes, mosquitto = (links.get(name) for name in ("salt", "hashes", "mosquitto"))
    if not isinstance(salt, str) or not isinstance(hashes, dict) or not isinstance(mosquitto, dict):
        msg = f"{path} is damaged: it holds no link passwords"
        raise InputError(msg, remedy=RESTORE)
    hashes[agency] = _hash(agency, password, salt)
    mosquitto[agency] = password_entry(password, entropy.take(HASH_SALT_BYTES))
    write_private(path, (json.dumps(links, indent=2, sort_keys=True) + "\n").encode())


def _hash(agency: str, password: str, salt: str) -> str:
    """Return what the broker keeps of a link password.

    A plain hash: the password is 144 random bits, which nobody guesses, so stretching would protect nothing and would
    let strangers keep the broker busy. The hash is there so that the broker's folder logs nobody in.
    """
    text = f"{salt}|{agency}|{password}".encode()
    return hashlib.blake2b(text, digest_size=32, person=b"sw1 link").hexdigest()
