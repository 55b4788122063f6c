"""Mosquitto as the broker of a region: what its files must say, as text made from values.

Whoever runs a general broker between router and nodes gives up what the embedded one enforces by itself; these files
take back as much as Mosquitto can be told (docs/how-to/run-over-mosquitto.md). Nothing here reads or writes a file.
"""

import base64
import hashlib
from typing import Final

# Mosquitto stretches at every login, in its only thread. A link password is 144 random bits, which nobody guesses
# however fast the hash is: the least that mosquitto_passwd writes (101, since 1.6) is as good as more.
_STRETCHED: Final = 101
HASH_SALT_BYTES: Final = 12  # what mosquitto_passwd takes, and the length that Mosquitto before 2.1 insists on


def password_entry(password: str, salt: bytes) -> str:
    """Return what Mosquitto keeps of a password: ``$7$iterations$salt$hash``, PBKDF2 with SHA-512.

    Args:
        password: In clear.
        salt: ``HASH_SALT_BYTES`` random bytes, new for each entry.
    """
    stretched = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _STRETCHED)
    return f"$7${_STRETCHED}${base64.b64encode(salt).decode()}${base64.b64encode(stretched).decode()}"
