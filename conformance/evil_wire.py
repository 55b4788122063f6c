"""Layer L5: frames, announcements of box keys, community bundles and verdicts."""

from functools import partial
from typing import Any

from conformance import curve
from conformance.evil_book import Book, Made, Row, drop, enter_rows, named, put, world
from schemas.bundle import SignKey
from schemas.codec import pack, unpack
from schemas.errors import Code
from schemas.frames import RouterVerdict
from schemas.limits import BOX_EPOCH_MS, BOX_EPOCH_OVERLAP_MS, CHUNKS_MAX, FRAME_MESSAGES_MAX
from sealing.primitives import sign

L5 = Book(
    layer="L5",
    notes={
        "Type": {"bug": "MISPARSING", "why": "a loosely typed reader folds two types into one value"},
        "Direction": {"bug": "CONFUSION", "why": "a node can speak as the router, or the router as a node"},
        "WeakKey": {"bug": "UNIVERSAL_FORGERY", "why": "a degenerate key in a trusted place"},
        "Threshold": {"bug": "TRUST", "why": "fewer authorities than agreed decide who is who"},
        "Rollback": {"bug": "STALE_TRUST", "why": "what was revoked is trusted again"},
        "CrossProtocol": {"bug": "CONFUSION", "why": "a signature made for one purpose is taken for another"},
    },
)

HID = bytes(range(32))
UP: tuple[tuple[Any, ...], ...] = (
    ("hello", 7, 5),
    ("ack", 7),
    ("heartbeat", world.NOW, (("bravo", 1, 2, 7, HID),)),
    ("lookup", ("bravo", "charlie")),
    ("want", HID, 0, 0),
    ("chunk", HID, 0, 0, b"chunk"),
    ("envelope", b"envelope"),
    ("announce", b"statement", bytes(64)),
    ("cosign", 8, b"line", None),
)
DOWN: tuple[tuple[Any, ...], ...] = (
    ("resume", 1),
    ("delivery", 1, b"envelope"),
    ("verdict", b"statement", bytes(64)),
    ("chunk", HID, 0, 0, b"chunk"),
    ("want", HID, 0, 0),
    ("bundle", b"bundle"),
    ("announce", b"statement", bytes(64)),
    ("checkpoint", 6, (bytes(32),), b"note"),
    ("tail", "alpha", 1, 2, 7, world.NOW, HID),
)


def _frame(*messages: Any, version: Any = 1) -> Made:
    return Made(pack((version, messages)))


@L5.accepts("up-frame", "WIRE-011", "WIRE-012", why="control")
def up_frame() -> Made:
    """One message of each type that a node sends."""
    return _frame(*UP)


@L5.accepts("down-frame", "WIRE-011", why="control")
def down_frame() -> Made:
    """One message of each type that a router sends."""
    return _frame(*DOWN)


@L5.accepts("up-frame", "WIRE-008", "ENV-089", base="up_frame", mutation="256 messages", why="the limit is allowed")
def frame_of_messages_to_the_limit() -> Made:
    """As many messages as a frame may hold."""
    return _frame(*[("ack", 1)] * FRAME_MESSAGES_MAX)


def _frame_rows() -> tuple[Row, ...]:
    version = "a format that is not known must not be guessed at"
    kinds = "a loosely typed reader sees one value where another sees two"
    return (
        ("frame_version_2", Code.VERSION, "WIRE-006", "Version 2.", version, None, lambda: _frame(*UP, version=2)),
        ("frame_version_true", Code.VERSION, "WIRE-006", "The version is true.", kinds, "Type",
         lambda: _frame(*UP, version=True)),
        ("frame_version_float", Code.VERSION, "WIRE-006", "The version is 1.0.", kinds, "Type",
         lambda: _frame(*UP, version=1.0)),
        ("frame_without_messages", Code.SHAPE, "WIRE-007", "No message.", "an empty frame says nothing", None, _frame),
        ("frame_is_no_array", Code.SHAPE, "WIRE-007", "A lone integer.", version, None, lambda: Made(pack(1))),
        ("frame_with_third_item", Code.SHAPE, "WIRE-007", "An item behind the messages.", version, None,
         lambda: Made(pack((1, UP, None)))),
        ("frame_of_too_many_messages", Code.LIMIT, "WIRE-008", "257 messages.", "every list is bounded", None,
         lambda: _frame(*[("ack", 1)] * (FRAME_MESSAGES_MAX + 1))),
        ("frame_up_with_delivery", Code.SHAPE, "WIRE-009", "A delivery, sent by a node.",
         "a node must not speak as the router", "Direction", lambda: _frame(("delivery", 1, b"envelope"))),
        ("frame_type_unknown", Code.SHAPE, "WIRE-009", "A type that is not known.", version, None,
         lambda: _frame(("shout", 1))),
        ("frame_type_binary", Code.SHAPE, "ENV-013", "A type as binary.", kinds, "Type", lambda: _frame((b"ack", 1))),
        ("frame_last_message_bad", Code.SHAPE, "WIRE-010", "The last of many messages is malformed.",
         "half a frame taken up is a frame nobody sent", None, lambda: _frame(*UP, ("ack", "7"))),
        ("message_field_missing", Code.SHAPE, "ENV-011", "A hello without the bundle version.", version, None,
         lambda: _frame(drop(2)(UP[0]))),
        ("message_field_surplus", Code.SHAPE, "ENV-011", "An ack with one field more.", version, None,
         lambda: _frame(("ack", 1, 2))),
        ("ack_of_true", Code.SHAPE, "ENV-012", "An ack of true.", kinds, "Type", lambda: _frame(("ack", True))),
        ("ack_negative", Code.SHAPE, "ENV-011", "An ack of -1.", "an unsigned reader acks everything", "Type",
         lambda: _frame(("ack", -1))),
        ("envelope_as_array", Code.SHAPE, "WIRE-012", "An envelope that is not bytes.",
         "what is decoded on the way is encoded anew, and no signature holds", "Type",
         lambda: _frame(("envelope", (1, 2)))),
        ("chunk_number_too_large", Code.SHAPE, "ENV-088", "A chunk number of 1,024.", "every number is bounded", None,
         lambda: _frame(put(3, CHUNKS_MAX)(UP[5]))),
        ("lookup_of_nobody", Code.SHAPE, "ENV-011", "A lookup without agencies.", "an empty list says nothing", None,
         lambda: _frame(("lookup", ()))),
        ("lookup_of_a_wildcard", Code.SHAPE, "ENV-016", "A lookup of everybody by a wildcard.",
         "who takes part is for the bundle to say", "Type", lambda: _frame(("lookup", ("+",)))),
        ("announcement_signature_short", Code.SHAPE, "ENV-011", "A signature of 63 bytes.", version, None,
         lambda: _frame(("announce", b"statement", bytes(63)))),
    )  # fmt: skip


enter_rows(L5, _frame_rows(), op="up-frame", base="up_frame")


@L5.rejects(Code.SHAPE, "down-frame", "WIRE-009", base="down_frame", mutation="a hello", flag="Direction",
            why="a router must not speak as a node")  # fmt: skip
def frame_down_with_hello() -> Made:
    """A hello, sent by the router."""
    return _frame(UP[0])


# Announcements.


def _announce(
    agency: str = "bravo", *, epoch: int = world.EPOCH + 1, signer: str | None = None, **changes: Any
) -> bytes:
    pair = world.box_pair(agency, epoch)
    key = changes.get("key", pair.public)
    begin, end = changes.get("begin", pair.not_before), changes.get("end", pair.expires)
    statement = changes.get("spell", pack)((agency, epoch, key, begin, end))
    purpose = changes.get("purpose", b"sw1 box\0")
    return pack(("announce", statement, sign(world.sign_pair(signer or agency).secret, purpose, statement)))


@L5.accepts("announcement", "KEY-011", why="control")
def announcement() -> Made:
    """Bravo announces its next box key."""
    return Made(_announce())


@L5.accepts("announcement", "WIRE-023", base="announcement", mutation="sender named", why="control")
def announcement_by_its_sender() -> Made:
    """Bravo sends its own announcement to the router."""
    return Made(_announce(), {"sender": "bravo"})


@L5.accepts("announcement", "KEY-015", base="announcement", mutation="once more", why="a network may repeat itself")
def announcement_again() -> Made:
    """The same announcement twice."""
    return Made(_announce(), {"earlier": [_announce().hex()]})


@L5.accepts("announcement", "KEY-012", "ENV-089", base="announcement", mutation="longest lifetime", why="the limit")
def announcement_for_the_longest_time() -> Made:
    """A key that holds for as long as one may."""
    begin = world.NOW - 1
    return Made(_announce(begin=begin, end=begin + BOX_EPOCH_MS + BOX_EPOCH_OVERLAP_MS))


def _announcement_rows() -> tuple[Row, ...]:
    forged = "whoever can make this reads what is meant for bravo"
    longer = BOX_EPOCH_MS + BOX_EPOCH_OVERLAP_MS + 1
    return (
        ("announcement_by_another", Code.BAD_SIG, "KEY-011", "Charlie signed in bravo's name.", forged, None,
         lambda: Made(_announce(signer="charlie"))),
        ("announcement_for_another_purpose", Code.BAD_SIG, "ENV-021", "Signed for another purpose.", forged,
         "CrossProtocol", lambda: Made(_announce(purpose=b"sw1 bundle\0"))),
        ("announcement_sent_by_another", Code.TOPIC_MISMATCH, "WIRE-023", "Charlie sends what bravo announced.",
         "who sends for another can send what is stale", None, lambda: Made(_announce(), {"sender": "charlie"})),
        ("announcement_of_weak_key", Code.KEY_WEAK, "KEY-002", "A key of small order.",
         "the shared secret is zero, whoever the other end is", "WeakKey",
         lambda: Made(_announce(key=curve.SMALL_ORDER_U[2]))),
        ("announcement_over", Code.KEY_TIME, "KEY-013", "A key that is over.", "a lost old key is announced anew", None,
         lambda: Made(_announce(begin=world.NOW - 2, end=world.NOW))),
        ("announcement_for_no_time", Code.KEY_TIME, "KEY-012", "It ends when it begins.", forged, None,
         lambda: Made(_announce(begin=world.NOW + 1, end=world.NOW + 1))),
        ("announcement_for_too_long", Code.KEY_TIME, "KEY-012", "It holds a millisecond too long.",
         "keys must change", None, lambda: Made(_announce(begin=world.NOW, end=world.NOW + longer))),
        ("announcement_of_another_key", Code.ROLLBACK, "KEY-014", "Another key for an epoch that has one.",
         "two readers of one epoch would seal to two keys", "Rollback",
         lambda: Made(_announce(key=world.box_pair("bravo", 42).public), {"earlier": [_announce().hex()]})),
        ("announcement_of_unknown", Code.UNKNOWN_SENDER, "KEY-004", "An agency that is not in the bundle.", forged,
         None, lambda: Made(_announce("zulu"))),
        ("announcement_of_revoked", Code.KEY_REVOKED, "KEY-005", "An agency that is revoked.", forged, None,
         lambda: Made(_announce("echo"))),
        ("announcement_not_canonical", Code.NOT_CANONICAL, "ENV-010", "The statement in another spelling.",
         "one statement has one signature", None,
         lambda: Made(_announce(spell=lambda fields: b"\xdc\x00\x05" + pack(fields)[1:]))),
    )  # fmt: skip


enter_rows(L5, _announcement_rows(), op="announcement", base="announcement")

# Bundles.


def _bundle(
    *signers: str,
    body: bytes | None = None,
    names: tuple[str, ...] | None = None,
    purpose: bytes = b"sw1 bundle\0",
    **fields: Any,
) -> bytes:
    body = body or pack(world.BUNDLE._replace(**fields))
    pairs = zip(names or signers, signers, strict=True)
    return pack((body, [(name, sign(world.sign_pair(signer).secret, purpose, body)) for name, signer in pairs]))


@L5.accepts("bundle", "NTK-006", why="control")
def bundle() -> Made:
    """A bundle that two of three authorities signed."""
    return Made(_bundle("north", "west"))


def _bundle_controls() -> None:
    end, why = world.BUNDLE.expires, "tolerances are part of the protocol"
    rows = (
        (
            "bundle_of_the_version_in_use",
            "NTK-010",
            "The version that is in use.",
            {"held_version": world.BUNDLE_VERSION},
        ),
        ("bundle_in_its_first_millisecond", "NTK-011", "Just issued.", {"now": world.BUNDLE.issued}),
        ("bundle_in_its_last_millisecond", "NTK-012", "About to expire.", {"now": end - 1}),
    )
    for name, req, fault, context in rows:
        enter = L5.accepts("bundle", req, base="bundle", mutation=fault[:-1], why=why)
        enter(named(name, fault, partial(Made, _bundle("north", "west"), context)))


_bundle_controls()


def _bundle_rows() -> tuple[Row, ...]:
    two = "fewer authorities than agreed decide who is who"
    old = "what was revoked would be trusted again"
    weak = "a degenerate key in a trusted place"
    same = {"threshold": 2, "authorities": {"north": world.sign_pair("north").public.hex(),
                                            "south": world.sign_pair("north").public.hex()}}  # fmt: skip
    first, second, *rest = world.AGENCIES
    neutral = SignKey(curve.SMALL_ORDER[0], world.KEYS_FROM, world.KEYS_UNTIL)
    return (
        ("bundle_of_one_authority", Code.THRESHOLD, "NTK-006", "One of three authorities signed.", two, "Threshold",
         lambda: Made(_bundle("north"))),
        ("bundle_signed_twice_by_one", Code.THRESHOLD, "NTK-007", "One authority signed twice.", two, "Threshold",
         lambda: Made(_bundle("north", "north"))),
        ("bundle_by_one_key_of_two_names", Code.THRESHOLD, "NTK-007", "Two authorities that share a key.", two,
         "Threshold", lambda: Made(_bundle("north", "north", names=("north", "south")), {"trust": same})),
        ("bundle_with_unknown_authority", Code.THRESHOLD, "NTK-008", "The second authority is not enrolled.", two,
         "Threshold", lambda: Made(_bundle("north", "alpha"))),
        ("bundle_with_forged_signature", Code.BAD_SIG, "NTK-009", "South's signature is north's.", two, "Threshold",
         lambda: Made(_bundle("north", "north", names=("north", "south")))),
        ("bundle_changed_after_signing", Code.BAD_SIG, "ENV-014", "An agency was renamed.", two, None,
         _bundle_turned),
        ("bundle_for_another_purpose", Code.BAD_SIG, "ENV-021", "Signed as verdicts are.", two, "CrossProtocol",
         lambda: Made(_bundle("north", "west", purpose=b"sw1 verdict\0"))),
        ("bundle_older", Code.ROLLBACK, "NTK-010", "A version below the one in use.", old, "Rollback",
         lambda: Made(_bundle("north", "west"), {"held_version": world.BUNDLE_VERSION + 1})),
        ("bundle_expired", Code.STALE, "NTK-012", "It has just expired.", old, "Rollback",
         lambda: Made(_bundle("north", "west"), {"now": world.BUNDLE.expires})),
        ("bundle_not_issued", Code.FUTURE, "NTK-011", "It is issued a millisecond later.", old, None,
         lambda: Made(_bundle("north", "west"), {"now": world.BUNDLE.issued - 1})),
        ("bundle_of_version_2", Code.VERSION, "NTK-005", "A format of version 2.",
         "a format that is not known must not be guessed at", None, lambda: Made(_bundle("north", "west", v=2))),
        ("bundle_with_weak_key", Code.KEY_WEAK, "KEY-001", "An agency's key is the neutral element.", weak, "WeakKey",
         lambda: Made(_bundle("north", "west", agencies=(first._replace(keys=(neutral,)), second, *rest)))),
        ("bundle_with_shared_key", Code.KEY_WEAK, "KEY-003", "Two agencies have one key.",
         "what one signs, the other has signed", "WeakKey",
         lambda: Made(_bundle("north", "west", agencies=(first, second._replace(keys=first.keys), *rest)))),
        ("bundle_with_weak_router_key", Code.KEY_WEAK, "KEY-001", "The router's key is the neutral element.", weak,
         "WeakKey",
         lambda: Made(_bundle("north", "west", routers=(world.BUNDLE.routers[0]._replace(key=neutral),)))),
        ("bundle_rule_without_predicates", Code.SHAPE, "NTK-014", "A rule that is about everything.",
         "it would permit all, or forbid all", None,
         lambda: Made(_bundle("north", "west", rules=(world.RULES[0]._replace(predicates=()),)))),
        ("bundle_predicate_unknown", Code.SHAPE, "NTK-014", "A predicate that is not of the vocabulary.",
         "an unknown test that is skipped widens the rule", None,
         lambda: Made(_bundle("north", "west", rules=(("N1", "permit", (("weather", ("fair",)),)),)))),
    )  # fmt: skip


def _bundle_turned() -> Made:
    body, signatures = unpack(_bundle("north", "west"), bytes_max=1 << 20)
    return Made(pack((body.replace(b"Alpha", b"Omega"), signatures)))


enter_rows(L5, _bundle_rows(), op="bundle", base="bundle")

# Verdicts.


def _verdict(*, signer: str = world.ROUTER, purpose: bytes = b"sw1 verdict\0", **changes: Any) -> Made:
    statement = pack(
        RouterVerdict(
            router=world.ROUTER,
            hid=HID,
            wraps_hash=HID,
            outcome="accepted",
            code=None,
            rules=("N1",),
            audience=(("bravo", 3),),
            refusals=(),
            record=1,
            at=world.NOW,
        )._replace(**changes)
    )
    return Made(pack(("verdict", statement, sign(world.sign_pair(signer).secret, purpose, statement))))


@L5.accepts("verdict", "WIRE-036", why="control")
def verdict() -> Made:
    """The router accepted a release."""
    return _verdict()


def _verdict_rows() -> tuple[Row, ...]:
    forged = "an author would believe that its report has gone out"
    return (
        ("verdict_by_an_agency", Code.BAD_SIG, "WIRE-036", "Bravo signed in the router's name.", forged, None,
         lambda: _verdict(signer="bravo")),
        ("verdict_for_another_purpose", Code.BAD_SIG, "ENV-021", "Signed for another purpose.", forged,
         "CrossProtocol", lambda: _verdict(purpose=b"sw1 release\0")),
        ("verdict_of_no_router", Code.UNKNOWN_SENDER, "WIRE-037", "An agency gives a verdict of its own.", forged, None,
         lambda: _verdict(signer="bravo", router="bravo")),
        ("verdict_of_another_time", Code.KEY_TIME, "WIRE-038", "Given before the router's key began.", forged, None,
         lambda: _verdict(at=world.KEYS_FROM - 1)),
        ("verdict_by_revoked_key", Code.KEY_REVOKED, "WIRE-039", "The router's key is revoked; the verdict is older.",
         forged, "Rollback", lambda: _verdict(signer="spoke", router="spoke", at=world.NOW - world.DAY_MS)),
        ("verdict_outcome_unknown", Code.SHAPE, "ENV-011", "An outcome that is neither of the two.", forged, None,
         lambda: _verdict(outcome="perhaps")),
    )  # fmt: skip


enter_rows(L5, _verdict_rows(), op="verdict", base="verdict")
