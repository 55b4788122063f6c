"""How far an originator's numbers for a reader go, proved to that reader alone (docs/spec/envelope.md, "Sequence").

A gap shows a reader that something was dropped, but not that the last of all was: nothing follows it. So an originator
says on its heartbeats which number it used last, under the pair key of the two, which no router has.
"""

from hmac import compare_digest

from schemas.errors import Code, RemoteError
from sealing.primitives import PERSON_TAIL, keyed


def prove_tail(pair_key: bytes, *, seq: int, at_ms: int) -> bytes:
    """Return the proof, 32 bytes, that the originator of this pair had used ``seq`` for its reader at ``at_ms``."""
    return keyed(PERSON_TAIL, pair_key, seq.to_bytes(8, "big") + at_ms.to_bytes(8, "big"))


def check_tail(pair_key: bytes, proof: bytes, *, seq: int, at_ms: int) -> None:
    """Prove that the originator of this pair says so.

    Raises:
        RemoteError: BAD_WRAP.
    """
    if not compare_digest(prove_tail(pair_key, seq=seq, at_ms=at_ms), proof):
        msg = "what is said of the last number is not proved"
        raise RemoteError(Code.BAD_WRAP, msg)
