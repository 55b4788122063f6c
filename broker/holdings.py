"""What the router holds for others beside messages: box key announcements, bundles, and chunks of attachments.

The tables are in the router's one database (broker/store.py) and take part in its transactions.
"""

from collections.abc import Iterator
from typing import Final

from schemas.frames import Announcement, BoxKeyStatement
from schemas.limits import CHUNK_BYTES_MAX
from transport.disk import Database

_EPOCHS_KEPT: Final = 4  # as many as a directory of box keys keeps; else one agency's announcements could fill the disk


class Holdings:
    """Announcements, bundles and chunks in the router's database."""

    def __init__(self, database: Database) -> None:
        self._sql = database.connection

    def write_announcement(self, statement: BoxKeyStatement, announcement: Announcement) -> None:
        """Keep a box key's announcement, and of its agency no more than the last few."""
        self._sql.execute(
            "INSERT OR REPLACE INTO announcement VALUES (?, ?, ?, ?, ?)",
            (
                statement.agency, statement.epoch, statement.expires,
                announcement.statement, announcement.signature,
            ),
        )  # fmt: skip
        self._sql.execute(
            "DELETE FROM announcement WHERE agency = ?1 AND epoch NOT IN"
            " (SELECT epoch FROM announcement WHERE agency = ?1 ORDER BY epoch DESC LIMIT ?2)",
            (statement.agency, _EPOCHS_KEPT),
        )

    def forget_announcements(self, *, now_ms: int) -> None:
        """Forget the box keys that are over."""
        self._sql.execute("DELETE FROM announcement WHERE expires <= ?", (now_ms,))

    def announcements(self, agency: str | None = None, *, at_ms: int = 0) -> Iterator[Announcement]:
        """Return the announcements of one agency, or of all, that are not over at a time."""
        query = "SELECT statement, signature FROM announcement WHERE expires > ?"
        rows = (
            self._sql.execute(f"{query} ORDER BY agency, epoch", (at_ms,))
            if agency is None
            else self._sql.execute(f"{query} AND agency = ? ORDER BY epoch", (at_ms, agency))
        )
        for statement, signature in rows:
            yield Announcement("announce", statement, signature)

    def write_bundle(self, version: int, signed: bytes) -> None:
        """Keep a signed bundle."""
        self._sql.execute("INSERT OR REPLACE INTO bundle VALUES (?, ?)", (version, signed))

    def bundles(self) -> list[tuple[int, bytes]]:
        """Return every bundle that was ever in force, lowest version first."""
        return self._sql.execute("SELECT version, signed FROM bundle ORDER BY version").fetchall()

    def manifest(self, hid: bytes, place: int) -> tuple[str, bytes] | None:
        """Return the author and the manifest of a chunked portion, unless it is unknown or recalled."""
        found = self._sql.execute(
            "SELECT originator, blob FROM portion JOIN message USING (hid)"
            " WHERE hid = ? AND place = ? AND chunks > 0 AND blob NOTNULL",
            (hid, place),
        ).fetchone()
        return None if found is None else (found[0], found[1])

    def write_chunk(self, hid: bytes, place: int, number: int, ciphertext: bytes) -> None:
        """Keep a chunk; one that is held already stays as it is."""
        self._sql.execute("INSERT OR IGNORE INTO chunk VALUES (?, ?, ?, ?)", (hid, place, number, ciphertext))

    def chunk(self, hid: bytes, place: int, number: int) -> bytes | None:
        """Return a chunk, if it is held."""
        found = self._sql.execute(
            "SELECT ciphertext FROM chunk WHERE hid = ? AND place = ? AND number = ?", (hid, place, number)
        ).fetchone()
        return None if found is None else found[0]

    def missing_chunks(self, hid: bytes, place: int, *, limit: int) -> list[int]:
        """Return the numbers of the first chunks of a portion that are not held."""
        chunks = self._sql.execute("SELECT chunks FROM portion WHERE hid = ? AND place = ?", (hid, place)).fetchone()[0]
        held = {
            number
            for (number,) in self._sql.execute("SELECT number FROM chunk WHERE hid = ? AND place = ?", (hid, place))
        }
        return [number for number in range(chunks) if number not in held][:limit]

    def incomplete(self, author: str) -> list[tuple[bytes, int]]:
        """Return the portions of an author whose chunks are not all held."""
        return self._sql.execute(
            "SELECT hid, place FROM portion JOIN message USING (hid) WHERE originator = ? AND blob NOTNULL"
            " AND chunks > (SELECT count(*) FROM chunk WHERE chunk.hid = portion.hid AND chunk.place = portion.place)",
            (author,),
        ).fetchall()

    def chunk_bytes_of(self, author: str) -> int:
        """Return how many bytes the chunked portions of an author may take, held or still to come."""
        query = "SELECT coalesce(sum(chunks), 0) FROM portion JOIN message USING (hid) WHERE originator = ?"
        chunks: int = self._sql.execute(query, (author,)).fetchone()[0]
        return chunks * CHUNK_BYTES_MAX
