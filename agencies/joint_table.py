"""What a node keeps of joint products: those that it leads, what the co-signers said, and those that others lead.

The tables are in the node's one database (agencies/store.py) and take part in its transactions, so an agreement that
is half gathered is gathered on after a restart.
"""

import sqlite3
from typing import Final, NamedTuple

from schemas.codec import pack, read_shape, unpack
from schemas.label import Label
from schemas.limits import CONTENT_BYTES_MAX, HEADER_BYTES_MAX
from schemas.names import AgencyId, Hash, Signature, Uint
from schemas.report import PortionContent

JOINT_TABLES: Final = """
CREATE TABLE joint_led(hid BLOB PRIMARY KEY, plan BLOB NOT NULL, signed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE joint_answer(hid BLOB NOT NULL, member TEXT NOT NULL, signature BLOB, reason TEXT NOT NULL,
    PRIMARY KEY(hid, member)) WITHOUT ROWID;
CREATE TABLE joint_held(hid BLOB PRIMARY KEY, lead TEXT NOT NULL, cosigners BLOB NOT NULL, signed BLOB NOT NULL,
    bits INTEGER NOT NULL, answer TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
"""
TAKEN_BACK: Final = -1  # in place of a number of co-signatures: the product is recalled, to be made again
_PLAN_BYTES_MAX: Final = 32 * CONTENT_BYTES_MAX  # as many portions as a message may have, each at its largest


class JointQuote(NamedTuple):
    """A portion of somebody else's that a joint product takes over."""

    hid: Hash
    place: Uint
    originator: AgencyId
    label: Label


class JointPart(NamedTuple):
    """A portion of a joint product as its lead wrote it, kept so that the product can be made again without others."""

    label: Label
    content: PortionContent


class JointPlan(NamedTuple):
    """What the lead of a joint product means to do with it.

    ``needed`` is how many of ``cosigners`` have to sign before it goes ``to`` its readers (none: everybody who may
    have all of it); ``order``, ``reason`` and ``cause`` are for the record.
    """

    cosigners: tuple[AgencyId, ...]
    needed: Uint
    to: tuple[AgencyId, ...]
    parts: tuple[JointPart, ...]
    quotes: tuple[JointQuote, ...]
    lifetime_ms: Uint
    order: str
    reason: str
    cause: str


class LedProduct(NamedTuple):
    """A joint product that this agency leads; ``signed`` co-signatures went with its last release, or TAKEN_BACK."""

    plan: JointPlan
    signed: int


class Answer(NamedTuple):
    """What a co-signer last said; no signature refuses the product or takes the signature back."""

    member: AgencyId
    signature: Signature | None
    reason: str


class HeldProduct(NamedTuple):
    """A joint product that another agency leads, as far as it has come here; ``answer`` is this agency's own."""

    hid: bytes
    lead: str
    cosigners: tuple[str, ...]
    signed: tuple[str, ...]
    bits: int
    answer: str

    @property
    def unsigned(self) -> tuple[str, ...]:
        """The named co-signers whose signature has not been seen here."""
        return tuple(name for name in self.cosigners if name not in self.signed)

    def asks(self, agency: str) -> bool:
        """Tell whether this copy asks an agency to sign: later ones, with signatures, tell it what became of it."""
        return agency in self.cosigners and not self.signed and not self.answer


class JointTable:
    """The joint products of a node."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    # As lead.

    def keep_led(self, hid: bytes, plan: JointPlan) -> None:
        """Keep a product that has been shown to its co-signers."""
        self._sql.execute("INSERT INTO joint_led(hid, plan) VALUES (?, ?)", (hid, pack(plan)))

    def led(self, hid: bytes) -> LedProduct | None:
        """Return a product that this agency leads and has not ended."""
        found = self._sql.execute("SELECT plan, signed FROM joint_led WHERE hid = ? AND plan != x''", (hid,)).fetchone()
        if found is None:
            return None
        return LedProduct(read_shape(JointPlan, unpack(found[0], bytes_max=_PLAN_BYTES_MAX)), found[1])

    def was_led(self, hid: bytes) -> bool:
        """Tell whether this agency leads a product, or led it until it was taken back."""
        return self._sql.execute("SELECT 1 FROM joint_led WHERE hid = ?", (hid,)).fetchone() is not None

    def led_ids(self) -> list[bytes]:
        """Return the products that this agency leads and has not ended."""
        return [hid for (hid,) in self._sql.execute("SELECT hid FROM joint_led WHERE plan != x'' ORDER BY hid")]

    def note_released(self, hid: bytes, *, signed: int) -> None:
        """Note that a product went to its readers with so many co-signatures."""
        self._sql.execute("UPDATE joint_led SET signed = ? WHERE hid = ?", (signed, hid))

    def end(self, hid: bytes) -> None:
        """Forget the texts of a product that was taken back, but not that it was led."""
        self._sql.execute("UPDATE joint_led SET plan = x'' WHERE hid = ?", (hid,))

    def keep_answer(self, hid: bytes, answer: Answer) -> bool:
        """Keep what a co-signer says; False if it says nothing new, or has refused before: that is final."""
        return bool(
            self._sql.execute(
                "INSERT INTO joint_answer VALUES (?, ?, ?, ?) ON CONFLICT(hid, member) DO UPDATE"
                " SET signature = NULL, reason = excluded.reason"
                " WHERE signature NOTNULL AND excluded.signature ISNULL RETURNING 1",
                (hid, *answer),
            ).fetchone()
        )

    def answers(self, hid: bytes) -> list[Answer]:
        """Return what the co-signers of a product said last, by name."""
        query = "SELECT member, signature, reason FROM joint_answer WHERE hid = ? ORDER BY member"
        return [Answer(*row) for row in self._sql.execute(query, (hid,))]

    # As a co-signer or reader.

    def keep_held(self, held: HeldProduct) -> None:
        """Keep who is named in a product that has come, and who of them has signed; a signature once seen stays."""
        before = self.held(held.hid)
        signed = held.signed if before is None else tuple(sorted({*before.signed, *held.signed}))
        self._sql.execute(
            "INSERT INTO joint_held(hid, lead, cosigners, signed, bits) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT(hid) DO UPDATE SET signed = excluded.signed, bits = bits | excluded.bits",
            (held.hid, held.lead, pack(held.cosigners), pack(signed), held.bits),
        )

    def held(self, hid: bytes) -> HeldProduct | None:
        """Return a product that has come; None if the message names no co-signer, or is not here."""
        found = self._sql.execute(
            "SELECT hid, lead, cosigners, signed, bits, answer FROM joint_held WHERE hid = ?", (hid,)
        ).fetchone()
        if found is None:
            return None
        hid, lead, cosigners, signed, bits, answer = found
        return HeldProduct(hid, lead, _names(cosigners), _names(signed), bits, answer)

    def unanswered(self) -> list[bytes]:
        """Return the products that have come and that this agency has not answered."""
        return [hid for (hid,) in self._sql.execute("SELECT hid FROM joint_held WHERE answer = '' ORDER BY hid")]

    def note_answered(self, hid: bytes, answer: str) -> None:
        """Note what this agency answered to the lead of a product."""
        self._sql.execute("UPDATE joint_held SET answer = ? WHERE hid = ?", (answer, hid))


def _names(packed: bytes) -> tuple[str, ...]:
    return tuple(str(name) for name in unpack(packed, bytes_max=HEADER_BYTES_MAX))
