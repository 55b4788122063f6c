"""The terms of a release by silence procedure, as a proposal commits to them (docs/spec/envelope.md, "Proposals").

The hash stands in the clear, so that a router can tell that a release is the one that was proposed, without being able
to read the proposal.
"""

from schemas.codec import pack
from schemas.workflow import ReleaseTerms
from sealing.primitives import PERSON_TERMS, digest


def terms_hash(terms: ReleaseTerms) -> bytes:
    """Return the hash of the terms, 32 bytes: the ``ref`` of the proposal that is about them."""
    return digest(PERSON_TERMS, pack(terms))
