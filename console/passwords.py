"""Passwords of key files: from a file, from the environment, from the file that ``init`` made, or asked for.

Never from the command line, which every user of a machine can read.
"""

import getpass
import os
import stat
import sys
from pathlib import Path
from typing import Final

from schemas.errors import KeyFileError, UsageError

VARIABLE: Final = "SANDIWARA_PASSWORD"
_BYTES_MAX: Final = 1_024
_CHARS_MIN: Final = 8  # argon2id makes each guess cost half a second; below this even so few guesses are enough


def given_password(password_file: str | None) -> bytes | None:
    """Return the password that a file or the environment gives, or None.

    Raises:
        KeyFileError: If the file cannot be read, or others can read it too.
        UsageError: If the password is empty or too long.
    """
    if password_file is not None:
        return _checked(_read(Path(password_file)), password_file)
    text = os.environ.get(VARIABLE)
    return None if text is None else _checked(text.encode(errors="surrogateescape"), VARIABLE)


def unlocking_password(password_file: str | None, made: Path, *, what: str) -> bytes:
    """Return the password that unlocks a part's key file.

    Args:
        password_file: As the command line names it.
        made: Where ``init`` kept it, if it made one and that is still here.
        what: Whose keys they are, for the prompt.

    Raises:
        KeyFileError: If a file cannot be read, or there is no password and nobody to ask.
        UsageError: If the password is empty or too long.
    """
    given = given_password(password_file)
    if given is not None:
        return given
    if made.is_file():
        return _checked(_read(made), str(made))
    return _ask(f"Password of {what}: ")


def new_password() -> bytes:
    """Ask for a new password, twice.

    Raises:
        KeyFileError: If there is nobody to ask.
        UsageError: If it is too short, or both differ.
    """
    first = _ask("New password of the key files: ")
    if first != _ask("Once more: "):
        msg = "the two passwords differ"
        raise UsageError(msg, remedy="type the same one twice")
    check_strength(first)
    return first


def check_strength(password: bytes) -> None:
    """Refuse a password that is too short to lock keys with.

    Raises:
        UsageError: If it is.
    """
    if len(password) < _CHARS_MIN:
        msg = f"the password has fewer than {_CHARS_MIN} characters"
        raise UsageError(msg, remedy="use several words, or leave it out and have passwords made")


def _ask(prompt: str) -> bytes:
    if not sys.stdin.isatty():
        msg = "no password was given, and there is no terminal to ask at"
        raise KeyFileError(msg, remedy=f"give --password-file FILE, or set {VARIABLE}")
    try:
        # The prompt goes to the terminal itself, never to stdout.
        text = getpass.getpass(prompt)
    except EOFError as error:
        msg = "no password was given"
        raise KeyFileError(msg, remedy=f"give --password-file FILE, or set {VARIABLE}") from error
    return _checked(text.encode(errors="surrogateescape"), "the password")


def _read(path: Path) -> bytes:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        with path.open("rb") as file:
            content = file.read(_BYTES_MAX + 2)
    except OSError as error:
        msg = f"the password file {path} cannot be read: {error.strerror}"
        raise KeyFileError(msg, remedy="give a file that is there, and yours") from error
    if mode & 0o077:
        msg = f"the password file {path} can be read by others (mode {mode:04o})"
        raise KeyFileError(msg, remedy=f"run: chmod 600 {path}")
    # The line end that editors add is no part of it.
    return content.removesuffix(b"\n").removesuffix(b"\r")


def _checked(password: bytes, place: str) -> bytes:
    if not 0 < len(password) <= _BYTES_MAX or b"\x00" in password:
        msg = f"{place} gives no password of 1 to {_BYTES_MAX} bytes"
        raise UsageError(msg, remedy="put the password into it, on one line")
    return password
