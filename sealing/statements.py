"""Signed statements that are not messages: the community bundle and the router's verdicts.

Both are bytes inside bytes: the signature covers what was received, and it is decoded after it has verified
(docs/spec/need-to-know.md, "Bundle"; docs/spec/wire.md, "Verdicts").
"""

from schemas.bundle import AuthoritySignature, Bundle, SignedBundle, TrustRoot
from schemas.codec import pack, read_shape, unpack
from schemas.errors import Code, RemoteError
from schemas.frames import RouterVerdict, VerdictMessage
from schemas.limits import BUNDLE_BYTES_MAX, FRAME_BYTES_MAX, PROTOCOL_VERSION
from sealing.keys import SignPair, admit_sign_key
from sealing.primitives import SIGN_BUNDLE, SIGN_VERDICT, sign, verify, verify_any


def sign_bundle(bundle: Bundle, authorities: dict[str, SignPair]) -> bytes:
    """Pack a bundle and have it signed by these authorities."""
    body = pack(bundle)
    signatures = tuple(
        AuthoritySignature(name, sign(pair.secret, SIGN_BUNDLE, body)) for name, pair in sorted(authorities.items())
    )
    return pack(SignedBundle(body, signatures))


def read_bundle(received: bytes, *, root: TrustRoot, now_ms: int, held_version: int = 0) -> Bundle:
    """Read a signed bundle and prove that it may be used now.

    Args:
        received: The bytes as they came.
        root: The authorities that this node trusts from its enrolment.
        now_ms: Unix ms.
        held_version: The version in use; a lower one is refused.

    Raises:
        RemoteError: From the reading; THRESHOLD if too few different authorities signed; ROLLBACK for a lower
            version; FUTURE or STALE outside its dates.
    """
    signed = read_shape(SignedBundle, unpack(received, bytes_max=BUNDLE_BYTES_MAX))
    value = unpack(signed.bundle, bytes_max=BUNDLE_BYTES_MAX)
    if not isinstance(value, tuple) or not value or type(value[0]) is not int or value[0] != PROTOCOL_VERSION:
        msg = "the bundle is of a version this node does not speak"
        raise RemoteError(Code.VERSION, msg)
    _check_threshold(signed, root)
    bundle = read_shape(Bundle, value)
    if bundle.version < held_version:
        msg = f"bundle version {bundle.version} where {held_version} is in use"
        raise RemoteError(Code.ROLLBACK, msg)
    if now_ms < bundle.issued:
        msg = "the bundle is not yet in force"
        raise RemoteError(Code.FUTURE, msg)
    if now_ms >= bundle.expires:
        msg = "the bundle has expired"
        raise RemoteError(Code.STALE, msg)
    return bundle


def _check_threshold(signed: SignedBundle, root: TrustRoot) -> None:
    keys = {authority.authority: authority.key for authority in root.authorities}
    proved: set[bytes] = set()
    for item in signed.signatures:
        key = keys.get(item.authority)
        if key is not None:
            admit_sign_key(key)
            verify(key, SIGN_BUNDLE, signed.bundle, item.signature)
            # Counted by key, so that one key under two names is one authority.
            proved.add(key)
    if len(proved) < root.threshold:
        msg = f"{len(proved)} authorities signed the bundle where {root.threshold} must"
        raise RemoteError(Code.THRESHOLD, msg)


def sign_verdict(verdict: RouterVerdict, *, signer: SignPair) -> VerdictMessage:
    """State what the router decided, under its key."""
    statement = pack(verdict)
    return VerdictMessage("verdict", statement, sign(signer.secret, SIGN_VERDICT, statement))


def read_verdict(message: VerdictMessage, *, bundle: Bundle, now_ms: int) -> RouterVerdict:
    """Prove that a router of the community made this verdict.

    Raises:
        RemoteError: From the reading, UNKNOWN_SENDER, KEY_TIME, KEY_REVOKED or BAD_SIG.
    """
    verdict = read_shape(RouterVerdict, unpack(message.statement, bytes_max=FRAME_BYTES_MAX))
    keys = [item.key for item in bundle.routers if item.router == verdict.router]
    if not keys:
        msg = f"{verdict.router} is no router of this community"
        raise RemoteError(Code.UNKNOWN_SENDER, msg)
    valid = [key for key in keys if key.not_before <= verdict.at < key.expires]
    if not valid:
        msg = f"{verdict.router} had no valid key then"
        raise RemoteError(Code.KEY_TIME, msg)
    usable = [key for key in valid if key.revoked is None or now_ms < key.revoked]
    if not usable:
        msg = f"the key of {verdict.router} is revoked"
        raise RemoteError(Code.KEY_REVOKED, msg)
    verify_any([key.key for key in usable], SIGN_VERDICT, message.statement, message.signature)
    return verdict
