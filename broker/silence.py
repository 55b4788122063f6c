"""Silence procedures at the router: who has to be asked, who may object and until when, and what nobody objected to.

Silence counts only from a member that was asked in time: each delivery of the proposal has to be acked by the
deadline, or nothing follows from it. The terms stand in the header as a hash, so a release can be held against them
without the proposal being read (docs/spec/router.md, "Silence procedures").
"""

import sqlite3
from collections.abc import Mapping
from typing import Final

from broker.state import Admitted, KnownProposal, PermittedRelease, RouterState
from policy.audience import audience_mask
from policy.caveats import MEMBERS_FIRST, operands
from policy.community import Community
from policy.members_first import without_members_first
from schemas.errors import Code, RemoteError
from schemas.frames import Refusal
from schemas.label import Label
from schemas.limits import PERMISSION_MS, SILENCE_PROCEDURE_MS_MIN
from schemas.workflow import Permission, ReleaseTerms
from sealing.received import Received
from sealing.terms import terms_hash

PROPOSAL_RULE: Final = "NTK-PROPOSAL"
OBJECTION_RULE: Final = "NTK-OBJECTION"
PROPOSAL_TABLE: Final = """
CREATE TABLE proposal(hid BLOB PRIMARY KEY, originator TEXT NOT NULL, mechanism TEXT NOT NULL, terms BLOB,
    object_by INTEGER NOT NULL, expires INTEGER NOT NULL, opposed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX proposal_terms ON proposal(terms, originator) WHERE terms NOTNULL;
"""


def check_proposal(received: Received, community: Community, *, now_ms: int) -> tuple[Refusal, ...]:
    """Check that a proposal goes to every full member of its mechanism and to nobody else; of no other message.

    Returns:
        The members that were left out.

    Raises:
        RemoteError: REFERENCE if it names no mechanism, or several, or leaves too little time.
    """
    header = received.header
    if header.kind != "proposal":
        return ()
    label = received.portions[0].disclosure.label if received.portions else None
    if label is None or len(received.portions) != 1 or len(header.by) != 1 or len(label.mechanisms) != 1:
        msg = "a proposal has one portion and one signer, and names one mechanism"
        raise RemoteError(Code.REFERENCE, msg)
    if header.exp - PERMISSION_MS < header.ts + SILENCE_PROCEDURE_MS_MIN:
        msg = "a proposal leaves its members too little time to object"
        raise RemoteError(Code.REFERENCE, msg)
    asked = 0
    for wrap in received.wraps:
        asked |= community.bit(wrap.to)
    # Readers that are no members are refused by the label's mechanism itself; what is missing has no other test.
    members = community.full_members(label.mechanisms[0], now_ms) & community.active(now_ms)
    missing = members & ~asked & ~community.bit(header.by[0])
    return tuple(
        Refusal(0, member, PROPOSAL_RULE, "is a full member and is not asked") for member in community.ids(missing)
    )


def check_objection(received: Received, state: RouterState, *, now_ms: int) -> tuple[Refusal, ...]:
    """Check that an objection comes from who was asked, in time, and goes to the proposer alone.

    Returns:
        The readers to whom it may not go.

    Raises:
        RemoteError: REFERENCE, the same whether the proposal is unknown here or others' affair; STALE if its time is
            over.
    """
    header = received.header
    if header.kind != "objection":
        return ()
    proposal = None if header.ref is None else state.proposal(header.ref)
    if header.ref is None or proposal is None or header.by[0] not in state.past_readers(header.ref):
        msg = f"an objection to nothing that {header.by[0]} was asked"
        raise RemoteError(Code.REFERENCE, msg)
    # "A router MUST refuse an objection that comes after its deadline": its sender is told so, and not left in hope.
    if now_ms > proposal.object_by:
        msg = "the time for objections is over"
        raise RemoteError(Code.STALE, msg)
    return tuple(
        Refusal(0, wrap.to, OBJECTION_RULE, "an objection goes to the proposer alone")
        for wrap in received.wraps
        if wrap.to != proposal.originator
    )


def known_proposal(received: Received) -> KnownProposal | None:
    """Return what a router keeps of a proposal that it admits; None for any other message."""
    header = received.header
    if header.kind != "proposal":
        return None
    return KnownProposal(
        originator=header.by[0],
        mechanism=received.portions[0].disclosure.label.mechanisms[0],
        terms=header.ref,
        object_by=header.exp - PERMISSION_MS,
        expires=header.exp,
    )


def let_go(
    received: Received, community: Community, state: RouterState, *, now_ms: int
) -> dict[str, tuple[PermittedRelease, ...]]:
    """Return, for each partner among a release's readers, the procedures that let exactly its portions go to it now."""
    mechanisms = {
        mechanism for portion in received.portions for mechanism in operands(portion.disclosure.label, MEMBERS_FIRST)
    }
    if not mechanisms:
        return {}
    partners = community.with_kind.get("partner", 0)
    found: dict[str, tuple[PermittedRelease, ...]] = {}
    for wrap in received.wraps:
        if community.bit(wrap.to) & partners:
            terms = ReleaseTerms(received.hid, wrap.bits, wrap.to)
            by_mechanism = {
                known.mechanism: _permitted(hid, known, terms)
                for hid, known in state.unopposed(received.originator, terms_hash(terms), at_ms=now_ms)
            }
            found[wrap.to] = tuple(by_mechanism[name] for name in sorted(mechanisms & by_mechanism.keys()))
    return found


def _permitted(hid: bytes, known: KnownProposal, terms: ReleaseTerms) -> PermittedRelease:
    permission = Permission(
        *(known.mechanism, terms.hid, terms.bits, known.originator, terms.reader),
        begin=known.object_by + 1,
        expires=known.expires,
    )
    return PermittedRelease(proposal=hid, permission=permission)


def opened_to(
    label: Label,
    released: Mapping[str, tuple[PermittedRelease, ...]],
    *,
    originator: str,
    at_ms: int,
    community: Community,
) -> int:
    """Return the partners to whom procedures open a portion that MEMBERS-FIRST alone would keep from them."""
    wanted = set(operands(label, MEMBERS_FIRST))
    partners = 0
    for reader, found in released.items():
        if wanted and wanted <= {item.permission.mechanism for item in found}:
            partners |= community.bit(reader)
    if not partners:
        return 0
    return partners & audience_mask(
        without_members_first(label), originator=originator, at_ms=at_ms, community=community
    )


class Proposals:
    """The table ``proposal`` of the router's database; takes part in its transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def keep(self, admitted: Admitted) -> None:
        """Keep a proposal that was admitted, or that somebody has objected to one."""
        if admitted.proposal is not None:
            self._sql.execute(
                "INSERT OR IGNORE INTO proposal VALUES (?, ?, ?, ?, ?, ?, 0)", (admitted.hid, *admitted.proposal)
            )
        if admitted.kind == "objection":
            self._sql.execute("UPDATE proposal SET opposed = 1 WHERE hid = ?", (admitted.ref,))

    def of(self, hid: bytes) -> KnownProposal | None:
        """Return a proposal that was admitted and is not forgotten."""
        found = self._sql.execute(
            "SELECT originator, mechanism, terms, object_by, expires FROM proposal WHERE hid = ?", (hid,)
        ).fetchone()
        return None if found is None else KnownProposal(*found)

    def unopposed(self, originator: str, terms: bytes, *, at_ms: int) -> tuple[tuple[bytes, KnownProposal], ...]:
        """Return the proposals of these terms that are over, that nobody stopped, and that came to everybody in time.

        Every reader's delivery has a record with its time; one that came too late, or has not come, is no silence.
        """
        rows = self._sql.execute(
            "SELECT hid, originator, mechanism, terms, object_by, expires FROM proposal"
            " WHERE terms = ?1 AND originator = ?2 AND opposed = 0 AND object_by < ?3 AND ?3 <= expires"
            " AND NOT EXISTS (SELECT 1 FROM reader WHERE reader.hid = proposal.hid AND NOT EXISTS"
            " (SELECT 1 FROM record WHERE record.hid = proposal.hid AND record.stage = 'delivered'"
            " AND record.agency = reader.reader AND record.at <= proposal.object_by)) ORDER BY hid",
            (terms, originator, at_ms),
        )
        return tuple((hid, KnownProposal(*rest)) for hid, *rest in rows)
