"""A new version of the community bundle on its way from one authority to the next, until enough have signed it.

As proposed it is the packed bundle alone; from the first signature on it is the signed bundle that every reader knows
(docs/spec/need-to-know.md, "Bundle"). Nothing here says that it may be used: that is ``sealing.statements``.
"""

from dataclasses import dataclass

from schemas.bundle import AuthoritySignature, Bundle, SignedBundle, TrustRoot
from schemas.codec import pack, read_shape, unpack
from schemas.errors import InputError
from schemas.limits import BUNDLE_BYTES_MAX
from sealing.keys import SignPair, admit_sign_key
from sealing.primitives import SIGN_BUNDLE, sign, verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A version of the bundle, the bytes of it that are signed, and who has signed so far, unproved."""

    bundle: Bundle
    body: bytes
    signatures: tuple[AuthoritySignature, ...]

    @property
    def authorities(self) -> tuple[str, ...]:
        """Under whose names it is signed."""
        return tuple(item.authority for item in self.signatures)


def read_proposal(received: bytes) -> Proposal:
    """Read a version of the bundle, signed or not yet.

    Raises:
        RemoteError: If it is neither.
    """
    value = unpack(received, bytes_max=BUNDLE_BYTES_MAX)
    if isinstance(value, tuple) and value and isinstance(value[0], bytes):
        signed = read_shape(SignedBundle, value)
        body, signatures = signed.bundle, signed.signatures
        value = unpack(body, bytes_max=BUNDLE_BYTES_MAX)
    else:
        body, signatures = received, ()
    return Proposal(bundle=read_shape(Bundle, value), body=body, signatures=signatures)


def sign_proposal(proposal: Proposal, *, authority: str, signer: SignPair) -> Proposal:
    """Add one authority's signature.

    Raises:
        InputError: If a signature stands under its name already.
    """
    if authority in proposal.authorities:
        msg = f"{authority} has signed version {proposal.bundle.version} already"
        raise InputError(msg, remedy="hand it to another authority")
    added = AuthoritySignature(authority, sign(signer.secret, SIGN_BUNDLE, proposal.body))
    return Proposal(
        bundle=proposal.bundle, body=proposal.body, signatures=tuple(sorted((*proposal.signatures, added)))
    )  # fmt: skip


def pack_proposal(proposal: Proposal) -> bytes:
    """Return the bytes that are handed on, and in the end given to everybody."""
    return pack(SignedBundle(proposal.body, proposal.signatures)) if proposal.signatures else proposal.body


def proved_authorities(proposal: Proposal, root: TrustRoot) -> tuple[str, ...]:
    """Return the authorities of an enrolment whose signature holds.

    Raises:
        RemoteError: BAD_SIG if one stands under an enrolled authority's name and does not hold.
    """
    keys = {item.authority: item.key for item in root.authorities}
    proved = []
    for item in proposal.signatures:
        key = keys.get(item.authority)
        if key is not None:
            admit_sign_key(key)
            verify(key, SIGN_BUNDLE, proposal.body, item.signature)
            proved.append(item.authority)
    return tuple(proved)
