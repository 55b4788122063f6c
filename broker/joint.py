"""Joint products at the router: who may have one before anybody has co-signed it, and who may co-sign.

A lead that names co-signers shows its draft to them alone until one of them has signed, and only they answer, to it
alone (docs/spec/envelope.md, "Joint products"). They get the decoy seed with their cut, so that they can prove that no
portion hides behind a decoy; so the router keeps it, for such messages and no other.
"""

import sqlite3
from collections.abc import Iterable
from typing import Final, NamedTuple

from broker.state import Admitted, KnownMessage
from schemas.codec import pack, read_shape, unpack
from schemas.errors import Code, RemoteError
from schemas.frames import Refusal
from schemas.limits import HEADER_BYTES_MAX
from schemas.names import AgencyId
from sealing.received import Received

JOINT_TABLE: Final = """
CREATE TABLE joint(hid BLOB PRIMARY KEY, seed BLOB NOT NULL, cosigners BLOB NOT NULL) WITHOUT ROWID;
"""


class Joint(NamedTuple):
    """What the router keeps of a message that names co-signers."""

    seed: bytes
    cosigners: tuple[AgencyId, ...]


class JointMessages:
    """The table ``joint`` of the router's database; takes part in its transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def keep(self, admitted: Admitted) -> None:
        """Keep seed and co-signers of a message at its first release, if it names any."""
        if admitted.cosigners and admitted.seed is not None:
            row = (admitted.hid, admitted.seed, pack(admitted.cosigners))
            self._sql.execute("INSERT OR IGNORE INTO joint VALUES (?, ?, ?)", row)

    def of(self, hid: bytes) -> Joint | None:
        """Return what is kept of a message; None if it names no co-signer."""
        found = self._sql.execute("SELECT seed, cosigners FROM joint WHERE hid = ?", (hid,)).fetchone()
        if found is None:
            return None
        return read_shape(Joint, (found[0], unpack(found[1], bytes_max=HEADER_BYTES_MAX)))


def check_answer(received: Received, asked: KnownMessage | None) -> None:
    """Prove that a co-signature, or its refusal, is of an agency that the message named.

    Raises:
        RemoteError: REFERENCE.
    """
    # One answer for "unknown here" and "does not name you": it must not tell that somebody else's message exists.
    if asked is None or received.originator not in asked.cosigners:
        msg = f"a cosign that refers to no message that asks {received.originator}"
        raise RemoteError(Code.REFERENCE, msg)


def uninvited(received: Received, asked: KnownMessage | None) -> tuple[Refusal, ...]:
    """Return the readers of a release to whom a joint product, or an answer to one, may not go.

    Args:
        received: The release.
        asked: What a co-signature refers to.
    """
    header = received.header
    readers = [wrap.to for wrap in received.wraps]
    if header.kind == "cosign":
        # "A router MUST refuse a co-signature for anybody but the lead."
        lead = None if asked is None else asked.originator
        return _refuse((reader for reader in readers if reader != lead), "NTK-COSIGN", "is not the lead")
    if header.by[1:] and not any(received.envelope.cosignatures):
        # "A router MUST refuse a message that names co-signers and bears no co-signature for anybody but them."
        return _refuse(
            (reader for reader in readers if reader not in header.by[1:]), "NTK-UNSIGNED", "nobody has co-signed it"
        )
    return ()


def _refuse(readers: Iterable[str], rule: str, reason: str) -> tuple[Refusal, ...]:
    return tuple(Refusal(0, reader, rule, reason) for reader in readers)
