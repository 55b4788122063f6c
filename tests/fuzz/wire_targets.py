"""The readers of what publishes carry: frames, envelopes, portions, and every signed statement.

Some inputs are first signed, or sealed, as a hostile insider would: else the signature check hides all that lies behind
it.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from agencies.core import NodeCore
from agencies.state import Accepted, Duplicate, HeldMessage, Rejected
from conformance import world
from conformance.evil_book import sealed
from conformance.evil_sealer import cut
from schemas.bundle import AuthoritySignature, SignedBundle
from schemas.codec import pack, unpack
from schemas.envelope import KINDS, Envelope
from schemas.errors import RemoteError
from schemas.frames import (
    Ack,
    Announcement,
    BundleMessage,
    CheckpointMessage,
    ChunkMessage,
    ChunkRequest,
    Cosign,
    Delivery,
    DownMessage,
    EnvelopeMessage,
    Heartbeat,
    Hello,
    Lookup,
    Refusal,
    Resume,
    RouterVerdict,
    UpMessage,
    VerdictMessage,
    read_down_frame,
    read_up_frame,
    write_frame,
)
from schemas.limits import PORTIONS_MAX, WRAPS_MAX
from schemas.report import Indicator, Observed, Passage, PortionContent
from schemas.workflow import DecisionContent, Grant, ReceiptContent, ReceiptItem, RequestContent
from sealing.directory import BoxDirectory
from sealing.notes import (
    TYPE_COSIGNATURE,
    TYPE_ED25519,
    Checkpoint,
    NoteKey,
    cosign,
    log_origin,
    read_checkpoint,
    read_note,
    sign_checkpoint,
    verify_note,
    with_signatures,
    witness_name,
)
from sealing.opening import read_content
from sealing.primitives import (
    PERSON_HID,
    PERSON_WRAPS,
    SIGN_BOX,
    SIGN_BUNDLE,
    SIGN_RELEASE,
    SIGN_VERDICT,
    digest,
    sign,
)
from sealing.received import check_author, check_disclosures, check_wraps_hash, read_envelope
from sealing.statements import read_bundle, read_verdict
from tests.fuzz.target import Target, size_of

# Frames.


@cache
def _message() -> tuple[bytes, bytes]:
    """Return an envelope as the router gets it, and bravo's cut of it."""
    made = sealed()[1]
    return made, cut(made, "bravo")


@cache
def up_samples() -> tuple[bytes, ...]:
    """Return frames as nodes send them."""
    messages: tuple[UpMessage, ...] = (
        Hello("hello", 3, 5),
        Ack("ack", 2**40),
        Heartbeat("heartbeat", world.NOW, ()),
        Lookup("lookup", ("bravo", "charlie")),
        world.announcements()[0],
        ChunkMessage("chunk", bytes(32), 3, 1_023, b"c" * 90),
        ChunkRequest("want", bytes(32), 31, 0),
        Cosign("cosign", 9, note_samples()[1].splitlines()[-1] + b"\n", None),
        Cosign("cosign", 9, None, note_samples()[0]),
    )
    return (write_frame(messages), write_frame((EnvelopeMessage("envelope", _message()[0]),)))


@cache
def down_samples() -> tuple[bytes, ...]:
    """Return frames as a router sends them."""
    verdict = RouterVerdict(*_verdict_fields())
    statement = pack(verdict)
    signed = VerdictMessage("verdict", statement, sign(world.sign_pair(world.ROUTER).secret, SIGN_VERDICT, statement))
    messages: tuple[DownMessage, ...] = (
        Resume("resume", 1),
        signed,
        ChunkMessage("chunk", bytes(32), 3, 0, b"c" * 90),
        ChunkRequest("want", bytes(32), 0, 0),
        world.announcements()[1],
        CheckpointMessage("checkpoint", 3, (bytes(32), b"\1" * 32), note_samples()[0]),
    )
    return (
        write_frame(messages),
        write_frame((Delivery("delivery", 1, _message()[1]), Delivery("delivery", 2, b""))),
        write_frame((BundleMessage("bundle", world.signed_bundle()),)),
    )


def _feed_frame(received: bytes, *, up: bool) -> None:
    messages: tuple[Any, ...] = read_up_frame(received) if up else read_down_frame(received)
    # Two spellings of one frame would be two messages under one signature.
    assert write_frame(messages) == received
    size_of(messages, objects_max=len(received) + 16, depth_max=8)


# Envelopes and deliveries.


class _NoMemory:
    """A node that has received nothing yet."""

    def highest_seq(self, _originator: str) -> int:
        return 0

    def seen(self, _originator: str, _seq: int) -> bytes | None:
        return None

    def held(self, _hid: bytes) -> HeldMessage | None:
        return None

    def offered_to(self, _hid: bytes) -> dict[str, int]:
        return {}

    def grants(self, _hid: bytes) -> tuple[Grant, ...]:
        return ()


@cache
def _reader() -> NodeCore:
    core = NodeCore(keys=world.keys("bravo"), bundle=world.BUNDLE)
    for announcement in world.announcements():
        core.boxes.readmit(announcement, signers=core.signers)
    return core


def envelope_samples() -> Sequence[bytes]:
    """Return an envelope for the router, and a reader's cut."""
    return _message()


def _feed_envelope(received: bytes) -> None:
    found = read_envelope(received)
    assert len(found.portions) <= PORTIONS_MAX
    assert len(found.wraps) <= WRAPS_MAX
    size_of(found, objects_max=4 * len(received) + 64, depth_max=8)
    check_wraps_hash(found)
    check_disclosures(found, every_place=True)
    check_author(found, signers=world.signers(), arrived_at=world.NOW)


def signed_by_its_author(received: bytes) -> bytes:
    """Return the envelope with hashes and signature made good, as its author itself could send it."""
    try:
        value = unpack(received, bytes_max=1 << 20)
        shape = Envelope(*value)
        wraps_hash = digest(PERSON_WRAPS, shape.wraps)
        release = digest(PERSON_HID, shape.header) + wraps_hash
        signature = sign(world.sign_pair("alpha").secret, SIGN_RELEASE, release)
        return pack(shape._replace(wraps_hash=wraps_hash, signature=signature))
    except (RemoteError, TypeError, ValueError, OverflowError):
        return received


def _feed_insiders_envelope(received: bytes) -> None:
    """What an enrolled author may send: each check behind the signature is reached."""
    _feed_envelope(signed_by_its_author(received))


def _feed_delivery(received: bytes) -> None:
    for envelope in (received, signed_by_its_author(received)):
        judged = _reader().judge(envelope, now_ms=world.NOW, state=_NoMemory())
        assert isinstance(judged, (Accepted, Rejected, Duplicate))
        size_of(judged, objects_max=4 * len(received) + 256, depth_max=10)


@cache
def content_samples() -> tuple[bytes, ...]:
    """Return plaintexts of several kinds."""
    report = PortionContent(
        "EXERCISE",
        "Boarding",
        (Passage("p1", "Six men."), Passage(None, "Gone.")),
        indicators=(Indicator("imo", "9", ""),),
        observed=Observed(world.NOW - 5, world.NOW, "estimated"),
    )
    receipts = ReceiptContent("EXERCISE", (ReceiptItem(bytes(32), 3, "delivered", world.NOW),))
    request = RequestContent("EXERCISE", "delta", 3, "the boarding", "delta has a ship there", world.NOW)
    decision = DecisionContent("EXERCISE", "delta", "grant", 1, "", "it may", world.NOW)
    return pack(report), pack(receipts), pack(request), pack(decision)


def _feed_content(received: bytes) -> None:
    refusals: list[RemoteError] = []
    for kind in KINDS:
        try:
            content = read_content(kind, received)
        except RemoteError as error:
            refusals.append(error)
        else:
            assert pack(content) == received
            size_of(content, objects_max=len(received) + 16, depth_max=8)
    if len(refusals) == len(KINDS):
        raise refusals[0]


# Statements.


def bundle_samples() -> Sequence[bytes]:
    """Return a signed bundle, and the part of it that is signed."""
    return world.signed_bundle(), SignedBundle(*unpack(world.signed_bundle(), bytes_max=1 << 20)).bundle


def _feed_bundle(received: bytes) -> None:
    """Read a bundle, then what the authorities themselves would have to sign; a node installs what it accepts."""
    signatures = tuple(
        AuthoritySignature(name, sign(world.sign_pair(name).secret, SIGN_BUNDLE, received))
        for name in ("north", "south")
    )
    refusal: RemoteError | None = None
    for signed in (received, pack(SignedBundle(received, signatures))):
        try:
            bundle = read_bundle(signed, root=world.TRUST, now_ms=world.NOW, held_version=1)
        except RemoteError as error:
            refusal = error
            continue
        size_of(bundle, objects_max=len(signed) + 64, depth_max=8)
        NodeCore(keys=world.keys("bravo"), bundle=bundle)
        return
    assert refusal is not None
    raise refusal


def _verdict_fields() -> tuple[Any, ...]:
    refusals = (Refusal(3, "delta", "N2", "the label is too high"),)
    return (
        world.ROUTER,
        bytes(32),
        b"\3" * 32,
        "refused",
        "AUDIENCE",
        ("N1", "N2"),
        (("bravo", 3),),
        refusals,
        17,
        world.NOW,
    )


def _feed_statements(received: bytes) -> None:
    """Announcements, verdicts and checkpoints, each signed over exactly these bytes."""
    refused = 0
    alpha, router = world.sign_pair("alpha"), world.sign_pair(world.ROUTER)
    try:
        statement = BoxDirectory().admit(
            Announcement("announce", received, sign(alpha.secret, SIGN_BOX, received)),
            signers=world.signers(),
            now_ms=world.NOW,
        )
        assert pack(statement) == received
    except RemoteError:
        refused += 1
    try:
        message = VerdictMessage("verdict", received, sign(router.secret, SIGN_VERDICT, received))
        verdict = read_verdict(message, bundle=world.BUNDLE, now_ms=world.NOW)
        assert pack(verdict) == received
        size_of(verdict, objects_max=len(received) + 16, depth_max=8)
    except RemoteError:
        refused += 1
    assert refused, "one statement is two things at once"


@cache
def statement_samples() -> tuple[bytes, ...]:
    """Return the bytes under an announcement's and a verdict's signature."""
    return world.announcements()[1].statement, pack(RouterVerdict(*_verdict_fields()))


@cache
def note_samples() -> tuple[bytes, ...]:
    """Return a checkpoint, and one that two agencies have cosigned."""
    router = world.sign_pair(world.ROUTER)
    note = sign_checkpoint(Checkpoint(log_origin(world.ROUTER), 9, b"\2" * 32), signer=router)
    lines = [
        cosign(note.text, name=witness_name(name), signer=world.sign_pair(name), now_ms=world.NOW)
        for name in ("alpha", "bravo")
    ]
    return note.packed(), with_signatures(note, lines).packed()


@cache
def _note_keys() -> tuple[NoteKey, ...]:
    router = NoteKey(name=log_origin(world.ROUTER), kind=TYPE_ED25519, public=world.sign_pair(world.ROUTER).public)
    agencies = (
        NoteKey(name=witness_name(name), kind=TYPE_COSIGNATURE, public=world.sign_pair(name).public)
        for name in ("alpha", "bravo")
    )
    return (router, *agencies)


def _feed_note(received: bytes) -> None:
    note = read_note(received)
    assert note.packed() == received, "a note of two spellings"
    size_of(note, objects_max=len(received) + 16, depth_max=6)
    checkpoint = read_checkpoint(note.text)
    assert checkpoint.text() == note.text
    verify_note(note, _note_keys())


WIRE_TARGETS: Final = (
    Target(name="frame-up", feed=lambda received: _feed_frame(received, up=True), samples=up_samples),
    Target(name="frame-down", feed=lambda received: _feed_frame(received, up=False), samples=down_samples),
    Target(name="envelope", feed=_feed_envelope, samples=envelope_samples),
    Target(name="insider", feed=_feed_insiders_envelope, samples=envelope_samples),
    Target(name="delivery", feed=_feed_delivery, samples=envelope_samples),
    Target(name="content", feed=_feed_content, samples=content_samples),
    Target(name="bundle", feed=_feed_bundle, samples=bundle_samples),
    Target(name="statements", feed=_feed_statements, samples=statement_samples),
    Target(name="note", feed=_feed_note, samples=note_samples),
)
