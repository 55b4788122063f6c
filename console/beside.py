"""A database that its owner may have open: read alone if it is stopped, beside it if it runs.

One connection to a file is the rule here, since SQLite before 3.51.3 can lose writes when two connections reset or
checkpoint the log at once. A connection opened ``mode=ro`` does neither: it never writes, so it never resets the log or
checkpoints after a commit, and the checkpoint of a last connection's close needs a write lock that a file opened for
reading is not given. So it may stand beside the owner's one.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from schemas.errors import StoreError
from transport.disk import Database

StoreT = TypeVar("StoreT")


def open_beside(
    path: Path, *, alone: Callable[[], StoreT], beside: Callable[[Database], StoreT], owner: str, start: str
) -> StoreT:
    """Open a database to read it.

    Args:
        path: Its file.
        alone: Opens it as its owner does.
        beside: Makes the same of a connection that only reads.
        owner: Whose it is, for people: ``the broker``.
        start: The command that makes it.

    Raises:
        StoreError: If it is not there, damaged, or may not be read.
    """
    if not path.exists():
        msg = f"{path} is not there: {owner} has not run yet"
        raise StoreError(msg, remedy=f"start it by '{start}'")
    try:
        return alone()
    except StoreError as error:
        if "in use" not in str(error) and os.access(path, os.W_OK):
            raise
    try:
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, isolation_level=None)
        connection.execute("PRAGMA query_only=ON")
        # The database gives up a lock when it is closed; this one has none to give up.
        return beside(Database(connection, path, os.open(os.devnull, os.O_RDONLY)))
    except sqlite3.Error as error:
        msg = f"{path} cannot be read: {error}"
        raise StoreError(msg, remedy=f"check that it is {owner}'s database and that you may read it") from error
