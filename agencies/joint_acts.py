"""Joint products as a desk sees them: show, sign, refuse, take back, and see to what the answers call for.

Each returns once it is on disk. Part of a node's acts (agencies/acts.py), which lends what a release needs.
"""

from dataclasses import dataclass

from agencies.drafts import Draft, Why
from agencies.joint import JointProducts, Word
from agencies.joint_table import HeldProduct
from agencies.lent import Lent
from agencies.outgoing import Released


@dataclass(frozen=True, slots=True, kw_only=True)
class JointActs(Lent):
    """What a desk asks of its node about joint products.

    Attributes:
        products: The synchronous half.
    """

    products: JointProducts

    async def show(self, draft: Draft, cosigners: tuple[str, ...], needed: int) -> Released:
        """Show a product to the co-signers that it names; it goes to its readers once ``needed`` of them have signed.

        Raises:
            SealError: If nobody or a wrong number is asked, or one of them may not have all of it, or has no key.
            StoreError: If the disk is full; then nothing was accepted.
        """
        await self.lookups.find(cosigners)
        return await self.send(lambda: self.products.show(draft, cosigners, needed, self.moment()))

    async def cosign(self, hid: bytes, why: Why) -> Released:
        """Sign a product that names this agency.

        Raises:
            SealError: If it is not asked for, was answered before, or not all of it is here.
            StoreError: If the disk is full; then nothing was accepted.
        """
        return await self._answer(hid, "signed", why)

    async def refuse(self, hid: bytes, why: Why) -> Released:
        """Refuse to sign a product; it is made again without this agency's name and part; raises as ``cosign``."""
        return await self._answer(hid, "refused", why)

    async def withdraw(self, hid: bytes, why: Why) -> Released:
        """Take a signature back: the product is recalled and made again without it; raises as ``cosign``."""
        return await self._answer(hid, "withdrawn", why)

    async def settle(self, hid: bytes) -> Released | None:
        """Do what the answers to a product that this agency leads call for; None if they call for nothing.

        Returns:
            The release to its readers, or of the product that was made again without those who left it.

        Raises:
            SealError: If a release of it still waits for the router's verdict, or nobody who has what is taken back
                can be told of it yet; to be tried again.
            StoreError: If the disk is full; then nothing was accepted.
        """
        step = await self.turns.run(lambda: self.products.next_step(hid))
        draft = await self.turns.run(lambda: self.products.draft_of(hid))
        if step == "none" or draft is None:
            return None
        await self.lookups.find_for(draft)
        if step == "release":
            return await self.send(lambda: self.products.release_signed(hid, self.moment()))
        await self.lookups.find(sorted(await self.turns.run(lambda: self.store.released_to(hid))))
        await self.send(lambda: self.products.take_back(hid, self.moment()))
        return await self.send(lambda: self.products.make_again(hid, self.moment()))

    async def is_asked(self, hid: bytes) -> bool:
        """Tell whether a product that this agency leads is still with its co-signers alone."""
        led = await self.turns.run(lambda: self.store.joint.led(hid))
        return led is not None and not led.signed

    async def held(self, hid: bytes) -> HeldProduct | None:
        """Return who is named in a product that has come here, and who has signed it; None if it names nobody."""
        return await self.turns.run(lambda: self.store.joint.held(hid))

    async def led(self) -> list[bytes]:
        """Return the products that this agency leads and has not ended."""
        return await self.turns.run(self.store.joint.led_ids)

    async def _answer(self, hid: bytes, word: Word, why: Why) -> Released:
        held = await self.held(hid)
        await self.lookups.find([] if held is None else [held.lead])
        return await self.send(lambda: self.products.answer(hid, word, why, self.moment()))
