"""Keys at rest: argon2id from a password, then SecretBox; mode 0600; written whole or not at all.

The parameters and the key's name stand in the clear and are bound into the sealed part, so a file cannot be moved to
another name or its cost lowered. What Python cannot promise (wiping memory) is said in docs/limits.md.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from nacl import pwhash, secret
from nacl.exceptions import CryptoError
from pydantic import Field

from schemas.codec import pack, read_shape, unpack
from schemas.errors import KeyFileError, RemoteError
from schemas.names import AgencyId, Millis
from sealing.entropy import Entropy

_FILE_BYTES_MAX: Final = 64 * 1024
_MAGIC: Final = "sandiwara-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordCost:
    """What a guess at the password costs: passes over memory, and bytes of memory."""

    passes: int
    memory_bytes: int


# libsodium's MODERATE: about a second and a half and 256 MiB for each guess.
MODERATE: Final = PasswordCost(passes=pwhash.argon2id.OPSLIMIT_MODERATE, memory_bytes=pwhash.argon2id.MEMLIMIT_MODERATE)
# For tests and for regions that live as long as one command. The console never offers it for a key that is kept.
UNSAFE_THROWAWAY: Final = PasswordCost(passes=1, memory_bytes=8192)
# What a file may ask for stands in the clear and is proved only by paying it, so whoever can put a file there sets the
# price. No file of ours asks for more than MODERATE; twice of each lets a later version raise one and be read by this
# one, and is about six seconds and 512 MiB, which a small machine can bear.
_PASSES_MAX: Final = 2 * MODERATE.passes
_MEMORY_BYTES_MAX: Final = 2 * MODERATE.memory_bytes


class _BoxSecret(NamedTuple):
    epoch: Annotated[int, Field(ge=0, lt=2**32)]
    secret: Annotated[bytes, Field(min_length=32, max_length=32)]
    not_before: Millis
    expires: Millis


class _Locked(NamedTuple):
    magic: Literal["sandiwara-key"]
    version: Literal[1]
    name: AgencyId
    passes: Annotated[int, Field(ge=1, le=_PASSES_MAX)]
    memory_bytes: Annotated[int, Field(ge=8192, le=_MEMORY_BYTES_MAX)]
    salt: Annotated[bytes, Field(min_length=16, max_length=16)]
    nonce: Annotated[bytes, Field(min_length=24, max_length=24)]
    ciphertext: Annotated[bytes, Field(max_length=_FILE_BYTES_MAX)]


class KeyRing(NamedTuple):
    """The secrets of one agency: the seed of its sign key and its box secrets by epoch, oldest first."""

    name: AgencyId
    sign_seed: Annotated[bytes, Field(min_length=32, max_length=32)]
    boxes: Annotated[tuple[_BoxSecret, ...], Field(max_length=8)]

    def __repr__(self) -> str:  # a secret must never reach a log by way of a debug print
        return f"KeyRing({self.name})"


class _Opened(NamedTuple):
    bound: Annotated[bytes, Field(max_length=_FILE_BYTES_MAX)]
    ring: KeyRing


def box_secret(*, epoch: int, secret_key: bytes, not_before: int, expires: int) -> _BoxSecret:
    """Return a box secret for a key ring; times are Unix ms."""
    return _BoxSecret(epoch, secret_key, not_before, expires)


def write_key_file(path: Path, ring: KeyRing, *, password: bytes, cost: PasswordCost, entropy: Entropy) -> None:
    """Lock a key ring with a password and write it, whole or not at all.

    Raises:
        KeyFileError: If the file cannot be written.
    """
    salt, nonce = entropy.take(16), entropy.take(24)
    bound = (_MAGIC, 1, ring.name, cost.passes, cost.memory_bytes, salt, nonce)
    box = secret.SecretBox(_derive(password, cost, salt))
    ciphertext = box.encrypt(pack((pack(bound), ring)), nonce).ciphertext
    with _naming(path, "written"):
        write_private(path, pack((*bound, ciphertext)))


def read_key_file(path: Path, *, name: str, password: bytes) -> KeyRing:
    """Open a key ring.

    Args:
        path: The file.
        name: Whose keys they must be.
        password: As it was given when the file was written.

    Raises:
        KeyFileError: If the file is missing, readable by others, damaged, another agency's, or locked with another
            password; damage and a wrong password cannot be told apart.
    """
    with _naming(path, "read"):
        _refuse_open_to_others(path)
        received = path.read_bytes()[: _FILE_BYTES_MAX + 1]
    try:
        locked = read_shape(_Locked, unpack(received, bytes_max=_FILE_BYTES_MAX))
    except RemoteError as error:
        msg = f"{path} is not a key file, or is damaged"
        raise KeyFileError(msg, remedy="restore it from a copy, or enrol the agency again") from error
    if locked.name != name:
        msg = f"{path} holds the keys of {locked.name}, not of {name}"
        raise KeyFileError(msg, remedy="files were swapped; put the right one back")
    cost = PasswordCost(passes=locked.passes, memory_bytes=locked.memory_bytes)
    try:
        plaintext = secret.SecretBox(_derive(password, cost, locked.salt)).decrypt(locked.ciphertext, locked.nonce)
        opened = read_shape(_Opened, unpack(plaintext, bytes_max=_FILE_BYTES_MAX))
    except (CryptoError, RemoteError) as error:
        msg = f"{path} does not open with this password"
        raise KeyFileError(msg, remedy="check the password; a damaged file looks the same") from error
    if opened.bound != pack(locked[:-1]):
        msg = f"{path} says other things in the clear than under its lock"
        raise KeyFileError(msg, remedy="it was tampered with; restore it from a copy, or enrol the agency again")
    return opened.ring


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 so that a crash leaves the old one or the new one, never a part.

    Raises:
        OSError: As the system says.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name(path.name + ".new")
    descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        waiting.replace(path)
    except OSError:
        waiting.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _derive(password: bytes, cost: PasswordCost, salt: bytes) -> bytes:
    return pwhash.argon2id.kdf(32, password, salt, opslimit=cost.passes, memlimit=cost.memory_bytes)


def _refuse_open_to_others(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        msg = f"{path} can be read by others (mode {mode:04o})"
        raise KeyFileError(msg, remedy=f"run: chmod 600 {path}")


@contextmanager
def _naming(path: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = f"{path} cannot be {verb}: {error.strerror}"
        raise KeyFileError(msg, remedy="check that the folder exists, is yours, and has room") from error
