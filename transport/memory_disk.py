"""A disk in memory that outlives those who use it: databases of a simulation, with the moments at which one may die.

It opens what ``transport.disk.open_database`` opens, with the same checks, and the databases are real SQLite. A node
that crashes loses its handle, never what it had committed; a gate is asked before and after every commit, so that a
fault can fall exactly between two effects that others can see. What a disk does to its owner's back (lose writes, come
back as an old copy, be full, be damaged: disk_damage.py) is done by ``image``, ``put_back`` and ``fill``.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

from schemas.errors import StoreError
from transport.disk import Database, check_database, unreadable

Moment = Literal["before-commit", "after-commit"]
# Told which database is about to commit, or has; what it raises kills the one that writes.
Gate = Callable[[str, Moment], None]


class Dead(BaseException):
    """Whoever did this is dead: what it still tries, in whatever clean-up, has no effect any more."""


class MemoryDatabase(Database):
    """One life's handle on a database in memory."""

    def __init__(self, connection: sqlite3.Connection, path: Path, gate: Gate | None, full: Collection[Path]) -> None:
        self.connection = connection
        self._path = path
        self._gate = gate
        self._full = full
        self.fenced = False
        self.closed = False

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a block as one transaction, as on disk; raises Dead once this life is over."""
        self._check_alive()
        before = self.connection.total_changes
        with super().transaction() as connection:
            yield connection
            if self._path in self._full and connection.total_changes != before:
                # On a real disk every commit makes the log longer, so none of them passes.
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error
            self._pass("before-commit")
        self._pass("after-commit")

    def close(self) -> None:
        """Give the handle up; the database stays with the disk."""
        self.closed = True

    def _pass(self, moment: Moment) -> None:
        self._check_alive()
        if self._gate is not None:
            self._gate(self._path.stem, moment)

    def _check_alive(self) -> None:
        if self.fenced:
            raise Dead


class MemoryDisk:
    """The databases of a simulation, by their paths.

    Args:
        gate: Asked at every commit; None where nobody dies.
    """

    def __init__(self, *, gate: Gate | None = None) -> None:
        self._gate = gate
        self._connections: dict[Path, sqlite3.Connection] = {}
        self._handles: dict[Path, MemoryDatabase] = {}
        self._full: set[Path] = set()
        self._put_away: list[sqlite3.Connection] = []  # the dead may still look into theirs

    def open(
        self, path: Path, *, application_id: int, version: int, owner: str, create: Callable[[sqlite3.Connection], None]
    ) -> MemoryDatabase:
        """Open a database, or make it (``transport.disk.OpenDatabase``).

        Raises:
            StoreError: If it is in use, damaged, or of another kind, version or owner.
        """
        handle = self._handles.get(path)
        if handle is not None and not handle.closed:
            msg = f"{path} is in use"
            raise StoreError(msg, remedy="close the other one first")
        connection = self._connections.get(path)
        if connection is None:
            connection = self._connections[path] = sqlite3.connect(":memory:", isolation_level=None)
            _empty(create).backup(connection)
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("INSERT INTO owner VALUES (?)", (owner,))
            connection.execute(f"PRAGMA application_id={application_id}")
            connection.execute(f"PRAGMA user_version={version}")
        else:
            try:
                check_database(connection, path, application_id=application_id, version=version, owner=owner)
            except sqlite3.Error as error:
                raise unreadable(path, error) from error
        handle = self._handles[path] = MemoryDatabase(connection, path, self._gate, self._full)
        return handle

    def kill(self, path: Path) -> None:
        """End the life of whoever has a database open: it can write no more, and another may open it."""
        handle = self._handles.get(path)
        if handle is not None:
            handle.fenced = handle.closed = True
            if handle.connection.in_transaction:
                handle.connection.execute("ROLLBACK")

    def image(self, path: Path) -> bytes:
        """Return a database as the bytes of its file: everything that is committed."""
        return self._connections[path].serialize()

    def put_back(self, path: Path, image: bytes) -> None:
        """Put another image in a database's place, whole or damaged; whoever had the old one open is dead."""
        self.kill(path)
        self._put_away.append(self._connections[path])
        connection = self._connections[path] = sqlite3.connect(":memory:", isolation_level=None)
        connection.deserialize(image)
        connection.execute("PRAGMA foreign_keys=ON")

    def fill(self, path: Path) -> None:
        """Let no commit of a database pass that changes anything, until there is room again."""
        self._full.add(path)

    def make_room(self, path: Path) -> None:
        """Let a database take commits again."""
        self._full.discard(path)

    def is_full(self, path: Path) -> bool:
        """Tell whether there is no room for a database."""
        return path in self._full

    def connection(self, path: Path) -> sqlite3.Connection:
        """Return a database to look into, past all handles: for those who check, never for those who are checked."""
        return self._connections[path]

    def in_use(self) -> list[str]:
        """Return the databases that somebody has open."""
        return [str(path) for path, handle in sorted(self._handles.items()) if not handle.closed]

    def close(self) -> None:
        """Let all databases go."""
        for connection in (*self._connections.values(), *self._put_away):
            connection.close()
        self._connections.clear()
        self._put_away.clear()


@cache
def _empty(create: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    """Return an empty database to copy from: making some forty tables anew takes four times as long."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute("CREATE TABLE owner(name TEXT NOT NULL)")
    create(connection)
    return connection
