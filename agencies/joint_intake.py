"""What arrives of joint products: who is named in one and has signed it, and what co-signers answer to their lead.

Takes part in the transaction of the arrival (agencies/incoming.py).
"""

from collections.abc import Mapping
from typing import Any

from agencies.core import NodeCore
from agencies.joint_table import Answer, HeldProduct
from agencies.outgoing import Moment
from agencies.state import Accepted
from agencies.store import NodeStore
from schemas.errors import Code, RemoteError
from schemas.workflow import CosignContent
from sealing.primitives import SIGN_COSIGN


class JointIntake:
    """Takes up joint products and the answers to them.

    Args:
        core: Knows the signers.
        store: The node's database.
    """

    def __init__(self, *, core: NodeCore, store: NodeStore) -> None:
        self._core = core
        self._store = store

    def keep(self, accepted: Accepted) -> None:
        """Keep who is named in a message, and who of them has signed it, if it names anybody but its originator."""
        lead, *cosigners = accepted.header.by
        if cosigners:
            self._store.joint.keep_held(
                HeldProduct(accepted.hid, lead, tuple(cosigners), accepted.cosigned, accepted.bits, "")
            )

    def shown(self, hid: bytes) -> tuple[Mapping[str, Any], bool]:
        """Return what the journal says of who has signed a message, and whether this agency is asked to sign it."""
        held = self._store.joint.held(hid)
        if held is None:
            return {}, False
        return {"cosigned": list(held.signed), "unsigned": list(held.unsigned)}, held.asks(self._core.agency)

    def take_answer(self, accepted: Accepted, moment: Moment) -> None:
        """Take what a co-signer says of a product that this agency leads; a refusal is final, and counts before all.

        Raises:
            RemoteError: REFERENCE if it was not asked, BAD_COSIG if what it signed is not this product.
        """
        hid, member = accepted.header.ref, accepted.originator
        led = None if hid is None else self._store.joint.led(hid)
        if hid is not None and led is None and self._store.joint.was_led(hid):
            # It crossed the recall of a product that was taken back; who is left is asked about the next text anew.
            return
        content = next((p.content for p in accepted.portions if isinstance(p.content, CosignContent)), None)
        if hid is None or content is None or led is None or member not in led.plan.cosigners:
            msg = f"{member} answers no joint product that it was asked to sign"
            raise RemoteError(Code.REFERENCE, msg)
        sealed = self._store.sealed(hid)
        if content.signature is not None and sealed is not None:
            try:
                # As the router will, when the product is released with this signature.
                times = (sealed.ts, moment.at_ms)
                self._core.signers.verify(member, SIGN_COSIGN, hid, content.signature, at=times)
            except RemoteError as error:
                raise RemoteError(Code.BAD_COSIG, str(error)) from error
        before = {answer.member for answer in self._store.joint.answers(hid) if answer.signature is not None}
        if not self._store.joint.keep_answer(hid, Answer(member, content.signature, content.reason)):
            return
        word = "signed" if content.signature is not None else "withdrawn" if member in before else "refused"
        self._store.journal.write(
            "cosign_received", at_ms=moment.at_ms, machine_ms=moment.machine_ms, hid=hid.hex(), member=member,
            answer=word, reason=content.reason,
        )  # fmt: skip
