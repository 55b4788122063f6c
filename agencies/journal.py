"""A node's own log of what it did and saw, each entry chained to the one before by its hash.

It is the node's evidence: the after-action report is made from these logs and the router's, which were kept apart.
It names messages, places, passages and rules, and never holds a text; of what this agency could not read it holds
nothing at all, since nothing of it ever arrived.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from sealing.primitives import digest

_PERSON_JOURNAL = b"sw1 journal"
_CHAIN_BEGIN = bytes(32)
# Made once: ``json.dumps`` makes a writer for every entry that asks for anything but its defaults.
_write_json = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


class Entry(NamedTuple):
    """One entry: its number from 1, exercise time and machine time in ms, the stage and its fields."""

    number: int
    at_ms: int
    machine_ms: int
    stage: str
    fields: dict[str, Any]


class Journal:
    """The table ``journal`` of a node's database; takes part in its transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection
        self._number: int = 0
        self._chain: bytes = _CHAIN_BEGIN
        self._unwritten: list[tuple[int, int, int, str, str, bytes]] = []
        self.reload()

    def reload(self) -> None:
        """Read where the journal stands; after a transaction that was taken back."""
        self._unwritten.clear()
        last = self._sql.execute("SELECT number, chain FROM journal ORDER BY number DESC LIMIT 1").fetchone()
        self._number, self._chain = (last[0], last[1]) if last is not None else (0, _CHAIN_BEGIN)

    def write(self, stage: str, *, at_ms: int, machine_ms: int, **fields: Any) -> None:
        """Add an entry to the transaction at hand; ``fields`` are JSON values, as scenarios read them."""
        text = _write_json(fields)
        self._number += 1
        self._chain = digest(_PERSON_JOURNAL, self._chain + f"{self._number}|{at_ms}|{stage}|{text}".encode())
        self._unwritten.append((self._number, at_ms, machine_ms, stage, text, self._chain))

    def flush(self) -> None:
        """Write the entries of the transaction at hand, all at once; called before it is committed."""
        self._sql.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", self._unwritten)
        self._unwritten.clear()

    @property
    def number(self) -> int:
        """The number of the last entry."""
        return self._number

    def entries(self, *, after: int = 0, stages: Collection[str] = ()) -> Iterator[Entry]:
        """Return every entry above a number, oldest first; where stages are named, those alone."""
        chosen = f" AND stage IN ({', '.join('?' * len(stages))})" if stages else ""
        rows = self._sql.execute(
            "SELECT number, at_ms, machine_ms, stage, fields FROM journal"  # noqa: S608 - as many marks as there are stages
            f" WHERE number > ?{chosen} ORDER BY number",
            (after, *stages),
        )
        for number, at_ms, machine_ms, stage, text in rows:
            yield Entry(number, at_ms, machine_ms, stage, json.loads(text))

    def field(self, stage: str, name: str) -> Iterator[Any]:
        """Return one field of every entry of a stage, oldest first; the rest of a long journal is not read out."""
        query = "SELECT json_extract(fields, ?) FROM journal WHERE stage = ? ORDER BY number"
        return (found for (found,) in self._sql.execute(query, (f"$.{name}", stage)))

    def chains(self) -> list[bytes]:
        """Return the chain's value after each entry, oldest first: what an auditor computes anew."""
        return [chain for (chain,) in self._sql.execute("SELECT chain FROM journal ORDER BY number")]
