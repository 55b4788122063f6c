"""Silence procedures as a desk sees them: put something to all members, object to what was put to this agency.

Each returns once it is on disk. Part of a node's acts (agencies/acts.py), which lends what a release needs.
"""

from dataclasses import dataclass

from agencies.drafts import ProposalDraft, Why
from agencies.lent import Lent
from agencies.outgoing import Released
from agencies.silence import Proposals
from agencies.silence_table import Procedure


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceActs(Lent):
    """What a desk asks of its node about silence procedures.

    Attributes:
        proposals: The synchronous half.
    """

    proposals: Proposals

    async def propose(self, draft: ProposalDraft) -> Released:
        """Put a matter to all full members of a mechanism.

        Raises:
            SealError: If a member cannot be asked, the time is too short, or the release would be refused all the same.
            StoreError: If the disk is full; then nobody was asked.
        """
        members = await self.turns.run(lambda: self.proposals.members_asked(draft.mechanism, self.moment()))
        await self.lookups.find(members)
        return await self.send(lambda: self.proposals.propose(draft, self.moment()))

    async def object_to(self, hid: bytes, why: Why) -> Released:
        """Object to a proposal; whoever made it is told, and nothing follows from it.

        Raises:
            SealError: If this agency is not asked, or the time for objections is over.
            StoreError: If the disk is full; then nothing was sent.
        """
        procedure = await self.find(hid)
        await self.lookups.find([] if procedure is None else [procedure.proposer])
        return await self.send(lambda: self.proposals.object_to(hid, why, self.moment()))

    async def find(self, hid: bytes) -> Procedure | None:
        """Return a procedure that is known here."""
        return await self.turns.run(lambda: self.store.silence.find(hid))
