"""Bundles and verdicts: how many authorities, which version, which router, which key."""

import itertools

import pytest

from conformance import world
from conformance.world import NOW
from schemas.bundle import Authority, RouterKey, SignKey, TrustRoot
from schemas.codec import pack
from schemas.errors import Code, RemoteError
from schemas.frames import RouterVerdict
from schemas.limits import BUNDLE_BYTES_MAX
from sealing.statements import read_bundle, read_verdict, sign_bundle, sign_verdict

VERDICT = RouterVerdict(
    router=world.ROUTER,
    hid=bytes(32),
    wraps_hash=bytes(32),
    outcome="refused",
    code="AUDIENCE",
    rules=("NTK-REL",),
    audience=(),
    refusals=(),
    record=1,
    at=NOW,
)


def refusal(call: object, *arguments: object, **named: object) -> Code:
    """Return the code that a call raises."""
    assert callable(call)
    with pytest.raises(RemoteError) as caught:
        call(*arguments, **named)
    return caught.value.code


@pytest.mark.parametrize("threshold", [1, 2, 3])
@pytest.mark.parametrize("signing", [names for n in range(4) for names in itertools.combinations(world.AUTHORITIES, n)])
def test_a_bundle_takes_as_many_authorities_as_the_threshold_says(signing: tuple[str, ...], threshold: int) -> None:
    root = world.TRUST._replace(threshold=threshold)
    pairs = {name: world.sign_pair(name) for name in signing or ("stranger",)}
    signed = sign_bundle(world.BUNDLE, pairs)

    if len(signing) >= threshold:
        assert world.BUNDLE == read_bundle(signed, root=root, now_ms=NOW)
    else:
        assert Code.THRESHOLD is refusal(read_bundle, signed, root=root, now_ms=NOW)


def test_a_degenerate_authority_counts_for_nobody() -> None:
    root = TrustRoot((Authority("north", bytes([1]) + bytes(31)),), 1)

    assert Code.KEY_WEAK is refusal(read_bundle, world.signed_bundle(), root=root, now_ms=NOW)


@pytest.mark.parametrize(("held", "good"), [(0, True), (4, True), (5, True), (6, False)])
def test_a_bundle_never_goes_back(held: int, good: bool) -> None:  # noqa: FBT001 - a table's column
    if good:
        read_bundle(world.signed_bundle(), root=world.TRUST, now_ms=NOW, held_version=held)
        return
    code = refusal(read_bundle, world.signed_bundle(), root=world.TRUST, now_ms=NOW, held_version=held)
    assert Code.ROLLBACK is code


@pytest.mark.parametrize(
    ("now_ms", "code"),
    [
        (world.BUNDLE.issued - 1, Code.FUTURE),
        (world.BUNDLE.issued, None),
        (world.BUNDLE.expires - 1, None),
        (world.BUNDLE.expires, Code.STALE),
    ],
)
def test_a_bundle_holds_between_its_dates(now_ms: int, code: Code | None) -> None:
    if code is None:
        read_bundle(world.signed_bundle(), root=world.TRUST, now_ms=now_ms)
        return
    assert code is refusal(read_bundle, world.signed_bundle(), root=world.TRUST, now_ms=now_ms)


def test_a_bundle_is_bounded_before_it_is_parsed() -> None:
    assert Code.TOO_BIG is refusal(read_bundle, bytes(BUNDLE_BYTES_MAX + 1), root=world.TRUST, now_ms=NOW)


@pytest.mark.parametrize("body", [b"\x90", b"\x01", b"\x91\xc3", b"\x91\x02", b"\x91\x01"])
def test_what_is_no_bundle_is_refused_after_two_signed_it(body: bytes) -> None:
    signed = sign_bundle(world.BUNDLE, {name: world.sign_pair(name) for name in ("north", "south")})
    whole = signed.replace(pack(world.BUNDLE), body)  # the length before it no longer fits
    assert isinstance(refusal(read_bundle, whole, root=world.TRUST, now_ms=NOW), Code)

    code = refusal(read_bundle, pack((body, (("north", bytes(64)),))), root=world.TRUST, now_ms=NOW)
    assert (Code.BAD_SIG if body == b"\x91\x01" else Code.VERSION) is code


# Verdicts.


def test_a_verdict_is_read_back_under_the_routers_key() -> None:
    message = sign_verdict(VERDICT, signer=world.sign_pair(world.ROUTER))

    assert VERDICT == read_verdict(message, bundle=world.BUNDLE, now_ms=NOW)
    for name, changed in (("alpha", VERDICT), ("spoke", VERDICT)):
        forged = sign_verdict(changed, signer=world.sign_pair(name))
        assert Code.BAD_SIG is refusal(read_verdict, forged, bundle=world.BUNDLE, now_ms=NOW)


def test_while_a_routers_keys_overlap_either_counts_and_a_revoked_one_does_not() -> None:
    """A verdict under the older key was refused once, and one revoked key took the other along."""
    older, newer = (SignKey(world.sign_pair(name).public, world.KEYS_FROM, world.KEYS_UNTIL) for name in ("old", "new"))
    for revoked in (None, NOW):
        bundle = world.BUNDLE._replace(
            routers=(RouterKey("hub", older._replace(revoked=revoked)), RouterKey("hub", newer))
        )
        by_new = sign_verdict(VERDICT, signer=world.sign_pair("new"))
        by_old = sign_verdict(VERDICT, signer=world.sign_pair("old"))
        assert VERDICT == read_verdict(by_new, bundle=bundle, now_ms=NOW)
        if revoked is None:
            assert VERDICT == read_verdict(by_old, bundle=bundle, now_ms=NOW)
        else:
            assert Code.BAD_SIG is refusal(read_verdict, by_old, bundle=bundle, now_ms=NOW)


@pytest.mark.parametrize(
    ("changes", "now_ms", "code"),
    [
        ({"router": "alpha"}, NOW, Code.UNKNOWN_SENDER),
        ({"at": world.KEYS_FROM - 1}, NOW, Code.KEY_TIME),
        ({"at": world.KEYS_UNTIL}, NOW, Code.KEY_TIME),
        ({"router": "spoke"}, NOW, Code.KEY_REVOKED),
        ({"router": "spoke"}, NOW - 1, Code.BAD_SIG),
    ],
)
def test_a_verdict_is_judged_by_router_time_and_revocation(changes: dict[str, object], now_ms: int, code: Code) -> None:
    message = sign_verdict(VERDICT._replace(**changes), signer=world.sign_pair(world.ROUTER))  # type: ignore[arg-type]

    assert code is refusal(read_verdict, message, bundle=world.BUNDLE, now_ms=now_ms)
