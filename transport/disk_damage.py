"""Damage to the file of a database, as a failing disk does it: a page half written, a bit turned, the end missing.

SQLite keeps no sums over its pages. What is struck here is what holds the file together, the first bytes of a page of
some table, where its own check finds it; damage inside a text is beyond it (docs/limits.md).
"""

import sqlite3
from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Literal, assert_never

Damage = Literal["torn", "flipped", "truncated"]


def damaged(image: bytes, damage: Damage, chance: Random) -> bytes:
    """Return the image of a database with damage that its opening has to find.

    Args:
        image: Of a sound database.
        damage: ``torn``: of one page only the second half reached the disk; ``flipped``: a bit turned where a page says
            what it is; ``truncated``: the second half of the file is missing.
        chance: Draws which page is struck.
    """
    page_bytes = int.from_bytes(image[16:18], "big")  # the file format of SQLite, 1.3: in its header
    first = page_bytes * (chance.choice(_roots(image)) - 1)
    struck = bytearray(image)
    match damage:
        case "torn":
            struck[first : first + page_bytes // 2] = bytes(page_bytes // 2)
        case "flipped":
            struck[first] ^= 0x80
        case "truncated":
            del struck[page_bytes * (len(image) // page_bytes // 2) :]
        case _:
            assert_never(damage)
    return bytes(struck)


def _roots(image: bytes) -> list[int]:
    """Return the first page of every table and index."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(image)
        return [page for (page,) in connection.execute("SELECT rootpage FROM sqlite_master WHERE rootpage > 1")]
    finally:
        connection.close()
