"""Databases on disk: opened one way, checked before use, refused where they are not what they should be.

SQLite with one connection to a file: releases before 3.51.3 can lose writes when a second connection resets the log.
``synchronous=FULL``, since with NORMAL a power cut takes back what was already called accepted.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from schemas.errors import DiskFullError, StoreError
from transport.failpoints import Passing, pass_by

_RESTORE: Final = "restore the folder from a copy, or move the file away to begin anew"
_MADE: Final = b"made\n"  # in the lock file, once there is something to lose
_JOURNAL_BYTES_MAX: Final = 16 * 1024 * 1024
# The low byte of SQLite's codes. A disk without room shows as any of them, since the shared index is mapped memory and
# a file system that has met an error may be mounted anew for reading.
_TAKES_NOTHING: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
)
_BALLAST_BYTES: Final = 64 * 1024  # room for a few messages: with less, a disk would be full again at once


class Database:
    """One open database file, its lock, and transactions on it.

    Attributes:
        passing: Told of each point of ``transport.failpoints`` that the owner comes to.
    """

    passing: Passing = staticmethod(pass_by)

    def __init__(self, connection: sqlite3.Connection, path: Path, lock: int) -> None:
        self.connection = connection
        self._path = path
        self._lock = lock

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a block as one transaction: all of it is on disk when the block ends, or nothing is.

        Raises:
            DiskFullError: If the disk is full or fails to write; nothing of the block is kept.
            StoreError: If the file is found damaged; nor then.
        """
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException as error:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise self._unwritten(error) from error
            raise

    def make_sure_of_room(self) -> None:
        """Write something of a few messages' size, and take it back: whether a full disk has room again.

        Raises:
            DiskFullError: If it has not.
        """
        try:
            # What the log holds goes into the file first, which often makes the room by itself.
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            raise self._unwritten(error) from error
        with self.transaction() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS ballast(bytes BLOB NOT NULL)")
            connection.execute("INSERT INTO ballast VALUES (zeroblob(?))", (_BALLAST_BYTES,))
        with self.transaction() as connection:
            connection.execute("DROP TABLE ballast")

    def _unwritten(self, error: sqlite3.Error) -> StoreError:
        msg = f"{self._path}: {error}"
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _TAKES_NOTHING:
            return DiskFullError(msg, remedy="make room on the disk; what was accepted before is safe")
        return StoreError(msg, remedy=_RESTORE)

    def close(self) -> None:
        """Close the file and give up its lock."""
        self.connection.close()
        os.close(self._lock)


def open_database(
    path: Path, *, application_id: int, version: int, owner: str, create: Callable[[sqlite3.Connection], None]
) -> Database:
    """Open a database file, or make it.

    Args:
        path: The file; its folder is made if need be. It and its lock get mode 0600.
        application_id: Tells the router's files from a node's.
        version: Of the schema.
        owner: The router or agency whose file it is, kept in the table ``owner``.
        create: Makes the tables of a new file.

    Raises:
        StoreError: If the file is in use, corrupt, of another kind, version or owner, or cannot be made.
    """
    lock = _lock(path)
    connection: sqlite3.Connection | None = None
    try:
        is_made = _is_made(path, lock)
        if is_made:
            check_file(path, application_id=application_id, version=version, owner=owner)
        _make_private(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        _set_up(connection)
        if not is_made:
            _make(connection, application_id=application_id, version=version, owner=owner, create=create)
        _mark_made(lock)
    except BaseException as error:
        if connection is not None:
            connection.close()
        os.close(lock)
        if isinstance(error, OSError):
            msg = f"{path} cannot be opened: {error}"
            raise StoreError(msg, remedy="check that the folder is yours and has room") from error
        if isinstance(error, sqlite3.Error):
            raise unreadable(path, error) from error
        raise
    return Database(connection, path, lock)


@cache
def tables_of(statements: str) -> Callable[[sqlite3.Connection], None]:
    """Return what makes tables: one statement after the other, each ended by a semicolon at the end of its line."""

    def create(connection: sqlite3.Connection) -> None:
        # Not by ``executescript``, which would end the transaction in which the file is made.
        for statement in statements.split(";\n"):
            if statement.strip():
                connection.execute(statement)

    return create


def check_file(path: Path, *, application_id: int, version: int, owner: str) -> None:
    """Prove a database file before anything may write to it: one that is refused stays as it was, to the byte.

    Raises:
        StoreError: As ``check_database``.
        sqlite3.Error: As ``check_database``.
    """
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        check_database(connection, path, application_id=application_id, version=version, owner=owner)
    finally:
        connection.close()


def _is_made(path: Path, lock: int) -> bool:
    """Tell whether there is a database that is to be used, or a new one is to be made.

    A crash while one is made leaves an empty file, which is made anew. One that was in use must not be: who emptied it
    did not mean to begin anew, and everything that was promised would be forgotten without a word.

    Raises:
        StoreError: If the file has been emptied.
        sqlite3.Error: If it cannot be asked.
    """
    if not path.exists():
        os.truncate(lock, 0)
        return False
    if path.is_file() and path.stat().st_size:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            found_id = connection.execute("PRAGMA application_id").fetchone()[0]
            if found_id or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return True
        finally:
            connection.close()
    if os.pread(lock, len(_MADE), 0) == _MADE:
        msg = f"{path} is empty, and was not when it was last used"
        raise StoreError(msg, remedy=_RESTORE)
    return False


def _mark_made(lock: int) -> None:
    if os.pread(lock, len(_MADE), 0) != _MADE:
        os.pwrite(lock, _MADE, 0)
        os.fsync(lock)


def unreadable(path: Path, error: sqlite3.Error) -> StoreError:
    """Return what is wrong with a database that SQLite would not open or check, and the way out."""
    if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
        msg = f"{path} cannot be made or read: {error}"
        return StoreError(msg, remedy="make room on the disk; if there is room, the disk is failing")
    msg = f"{path} is damaged or no database: {error}"
    return StoreError(msg, remedy=_RESTORE)


def _lock(path: Path) -> int:
    name = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        msg = f"{name} cannot be made: {error.strerror}"
        raise StoreError(msg, remedy="check that the folder is yours and has room") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        msg = f"{path} is in use by another process"
        raise StoreError(msg, remedy="stop the other one first; two at once would corrupt the file") from error
    return lock


def _make_private(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)


def _set_up(connection: sqlite3.Connection) -> None:
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "trusted_schema=OFF",
        "secure_delete=ON",  # a recalled report must not stay in free pages
        f"journal_size_limit={_JOURNAL_BYTES_MAX}",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _make(
    connection: sqlite3.Connection,
    *,
    application_id: int,
    version: int,
    owner: str,
    create: Callable[[sqlite3.Connection], None],
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE owner(name TEXT NOT NULL)")
    connection.execute("INSERT INTO owner VALUES (?)", (owner,))
    create(connection)
    connection.execute(f"PRAGMA application_id={application_id}")
    connection.execute(f"PRAGMA user_version={version}")
    connection.execute("COMMIT")


def check_database(
    connection: sqlite3.Connection, path: Path, *, application_id: int, version: int, owner: str
) -> None:
    """Prove that a database that was there before is whole, of this kind and version, and whose it should be.

    Raises:
        StoreError: If it is not; says what is wrong with it.
        sqlite3.Error: If it is too damaged even to be asked.
    """
    found_id = connection.execute("PRAGMA application_id").fetchone()[0]
    found_version = connection.execute("PRAGMA user_version").fetchone()[0]
    if found_id != application_id:
        msg = f"{path} is a database of another kind"
        raise StoreError(msg, remedy=_RESTORE)
    if found_version != version:
        msg = f"{path} is of schema version {found_version}; this program knows {version}"
        raise StoreError(msg, remedy="use the release that made it, or move the file away to begin anew")
    checked = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if checked != "ok":
        msg = f"{path} is damaged: {' '.join(checked.split())}"  # SQLite says it in several lines
        raise StoreError(msg, remedy=_RESTORE)
    found_owner = connection.execute("SELECT coalesce(max(name), 'nobody') FROM owner").fetchone()[0]
    if found_owner != owner:
        msg = f"{path} belongs to {found_owner}, not to {owner}"
        raise StoreError(msg, remedy="files were swapped; put the right one back")
