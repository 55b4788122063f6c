"""Our own codec, judged by the vectors like anybody's: one function for each operation, bytes in, outcome out.

The order in which a reader's checks are made is that of docs/spec/envelope.md; the checks themselves are those that the
product uses, so a vector that passes here says something about the product.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import Any, Final, assert_never

from agencies.core import NodeCore
from agencies.state import Accepted, Duplicate, Rejected
from broker.audit.leaves import open_entry
from broker.core import Identity, RouterCore
from broker.state import Admitted, Refused, Repeated
from conformance import world
from conformance.memory import MemoryInbox, MemoryState
from conformance.vectors import Outcome, Vector
from policy.community import Community
from policy.decide import decide
from policy.verdict import Action
from schemas.bundle import Authority, TrustRoot
from schemas.codec import pack, read_shape, unpack
from schemas.errors import Code, LogError, NotForMeError, RemoteError, Stage, UsageError
from schemas.frames import Announcement, VerdictMessage, read_down_frame, read_up_frame
from schemas.label import read_label
from schemas.limits import FRAME_BYTES_MAX
from sealing.keys import admit_box_key, admit_sign_key
from sealing.merkle import leaf_hash, verify_consistency, verify_inclusion
from sealing.notes import (
    TYPE_COSIGNATURE,
    Checkpoint,
    NoteKey,
    read_checkpoint,
    read_note,
    read_signature,
    verify_note,
    verify_signature,
)
from sealing.opening import OpenedPortion, my_wrap, open_portions, unwrap
from sealing.pairs import PairKeys
from sealing.portions import open_chunked, open_inline
from sealing.primitives import verify
from sealing.received import check_author, check_disclosures, check_times, read_envelope
from sealing.statements import read_bundle, read_verdict
from sealing.witness import begin, check_met, read_shown, witness

Context = Mapping[str, Any]
Operation = Callable[[bytes, Context], Outcome]

ACCEPTED: Final = Outcome(verdict="accept")


def judge(vector: Vector) -> Outcome:
    """Judge one vector.

    Raises:
        UsageError: If this implementation does not know the operation.
    """
    operation = OPERATIONS.get(vector.op)
    if operation is None:
        msg = f"the operation {vector.op} is not known"
        raise UsageError(msg, remedy="take the vectors of the specification's version that you have")
    try:
        return operation(vector.input, vector.context)
    except NotForMeError:
        return Outcome(verdict="not-for-me")
    except RemoteError as error:
        return Outcome(verdict="reject", stage=error.stage, code=error.code)
    except LogError as error:
        return Outcome(verdict="reject", fault=error.fault)


def released(*plaintexts: bytes) -> Outcome:
    """Return the outcome of having released these plaintexts."""
    return Outcome(verdict="accept", released=sha256(b"".join(plaintexts)).hexdigest())


def _now(context: Context) -> int:
    now: int = context.get("now", world.NOW)
    return now


# L0 to L2: bytes, keys, portions.


def _unpack(received: bytes, context: Context) -> Outcome:
    unpack(received, bytes_max=context.get("bytes_max", FRAME_BYTES_MAX))
    return ACCEPTED


def _label(received: bytes, _context: Context) -> Outcome:
    read_label(received)
    return ACCEPTED


def _admit_sign_key(received: bytes, _context: Context) -> Outcome:
    admit_sign_key(received)
    return ACCEPTED


def _admit_box_key(received: bytes, _context: Context) -> Outcome:
    admit_box_key(received)
    return ACCEPTED


def _verify_signature(received: bytes, context: Context) -> Outcome:
    purpose = context["purpose"].encode() + b"\0"
    verify(bytes.fromhex(context["public"]), purpose, bytes.fromhex(context["content"]), received)
    return ACCEPTED


def _open_inline(received: bytes, context: Context) -> Outcome:
    return released(open_inline(bytes.fromhex(context["key"]), context["place"], received))


def _open_chunked(received: bytes, context: Context) -> Outcome:
    chunks = tuple(bytes.fromhex(chunk) for chunk in context["chunks"])
    return released(open_chunked(bytes.fromhex(context["key"]), context["place"], received, chunks))


# L3 and L4: envelopes.


@cache
def _community() -> Community:
    return Community.compile(world.BUNDLE)


def _router() -> RouterCore:
    core = RouterCore(identity=Identity(router=world.ROUTER, signer=world.sign_pair(world.ROUTER)), bundle=world.BUNDLE)
    core.boxes = world.boxes()
    return core


def _route(received: bytes, context: Context) -> Outcome:
    core, state = _router(), MemoryState()
    for earlier in context.get("earlier", ()):
        before = core.admit(
            bytes.fromhex(earlier["envelope"]), sender=earlier["sender"], now_ms=_now(earlier), state=state
        )
        if isinstance(before, Admitted):
            state.keep(before)
    decided = core.admit(received, sender=context["sender"], now_ms=_now(context), state=state)
    if isinstance(decided, Refused):
        return Outcome(verdict="reject", stage=Stage(decided.stage), code=Code(decided.code))
    return Outcome(verdict="repeat") if isinstance(decided, Repeated) else ACCEPTED


def _read(received: bytes, context: Context) -> Outcome:
    me, now_ms = context["me"], _now(context)
    envelope = read_envelope(received)
    check_author(envelope, signers=world.signers(), arrived_at=now_ms)
    check_disclosures(envelope, every_place=me in envelope.header.by[1:])
    check_times(envelope.header, now_ms=now_ms)
    wrap = my_wrap(envelope, me=me)
    theirs = world.boxes().at_epoch(envelope.originator, wrap.from_epoch, now_ms=now_ms)
    mine = world.box_pair(me, wrap.to_epoch)
    keys = unwrap(envelope, wrap, pair_key=PairKeys(me).from_originator(mine, envelope.originator, theirs))
    opened = open_portions(envelope, keys)
    for portion in opened:
        _check_clearance(portion, me, envelope.originator, times=(now_ms, envelope.header.ts))
    return released(*(pack(portion.content) for portion in opened))


def _check_clearance(portion: OpenedPortion, me: str, originator: str, *, times: tuple[int, int]) -> None:
    """Ask policy as of now and as of the sealing: the router decided somewhere in between."""
    permits = (
        decide(
            portion.label,
            originator=originator,
            recipient=me,
            action=Action.RELEASE,
            at_ms=at_ms,
            community=_community(),
        ).permit
        for at_ms in times
    )
    if not any(permits):
        msg = f"{me} may not have the portion at place {portion.place}"
        raise RemoteError(Code.CLEARANCE, msg)


def _take(received: bytes, context: Context) -> Outcome:
    """Take a cut up after earlier ones, with a memory."""
    core, inbox = NodeCore(keys=world.keys(context["me"]), bundle=world.BUNDLE), MemoryInbox()
    core.boxes = world.boxes()
    for earlier in context.get("earlier", ()):
        before = core.judge(bytes.fromhex(earlier), now_ms=_now(context), state=inbox)
        if isinstance(before, Accepted):
            inbox.keep(before)
    judged = core.judge(received, now_ms=_now(context), state=inbox)
    match judged:
        case Accepted():
            return ACCEPTED
        case Duplicate():
            return Outcome(verdict="repeat")
        case Rejected():
            return Outcome(verdict="reject", stage=Stage(judged.stage), code=Code(judged.code))
        case _:
            assert_never(judged)


# L5: frames and statements.


def _up_frame(received: bytes, _context: Context) -> Outcome:
    read_up_frame(received)
    return ACCEPTED


def _down_frame(received: bytes, _context: Context) -> Outcome:
    read_down_frame(received)
    return ACCEPTED


def _announcement(received: bytes, context: Context) -> Outcome:
    core = _router()
    for packed in (*map(bytes.fromhex, context.get("earlier", ())), received):
        announcement = read_shape(Announcement, unpack(packed, bytes_max=FRAME_BYTES_MAX))
        if "sender" in context:
            core.announce(announcement, sender=context["sender"], now_ms=_now(context))
        else:
            core.boxes.admit(announcement, signers=core.signers, now_ms=_now(context))
    return ACCEPTED


def _bundle(received: bytes, context: Context) -> Outcome:
    root = world.TRUST
    if "trust" in context:
        keys = context["trust"]["authorities"].items()
        authorities = tuple(Authority(name, bytes.fromhex(key)) for name, key in keys)
        root = TrustRoot(authorities, context["trust"]["threshold"])
    bundle = read_bundle(received, root=root, now_ms=_now(context), held_version=context.get("held_version", 0))
    _router().install(bundle)
    return ACCEPTED


def _verdict(received: bytes, context: Context) -> Outcome:
    message = read_shape(VerdictMessage, unpack(received, bytes_max=FRAME_BYTES_MAX))
    read_verdict(message, bundle=world.BUNDLE, now_ms=_now(context))
    return ACCEPTED


# L6: the provable log.


def _note_keys(context: Context) -> tuple[NoteKey, ...]:
    return tuple(
        NoteKey(name=item["name"], kind=item["type"], public=bytes.fromhex(item["public"])) for item in context["keys"]
    )


def _note(received: bytes, context: Context) -> Outcome:
    verify_note(read_note(received), _note_keys(context))
    return ACCEPTED


def _checkpoint(received: bytes, _context: Context) -> Outcome:
    read_checkpoint(received)
    return ACCEPTED


def _cosignature(received: bytes, context: Context) -> Outcome:
    key = context["key"]
    witness_key = NoteKey(name=key["name"], kind=TYPE_COSIGNATURE, public=bytes.fromhex(key["public"]))
    verify_signature(bytes.fromhex(context["text"]), read_signature(received.decode()), key=witness_key)
    return ACCEPTED


def _inclusion(received: bytes, context: Context) -> Outcome:
    verify_inclusion(
        leaf=leaf_hash(bytes.fromhex(context["entry"])),
        number=context["number"],
        size=context["size"],
        proof=unpack(received, bytes_max=FRAME_BYTES_MAX),
        root=bytes.fromhex(context["root"]),
    )
    return ACCEPTED


def _consistency(received: bytes, context: Context) -> Outcome:
    verify_consistency(
        old_size=context["old_size"],
        old_root=bytes.fromhex(context["old_root"]),
        size=context["size"],
        root=bytes.fromhex(context["root"]),
        proof=unpack(received, bytes_max=FRAME_BYTES_MAX),
    )
    return ACCEPTED


def _leaf(received: bytes, context: Context) -> Outcome:
    statement, key = bytes.fromhex(context["statement"]), bytes.fromhex(context["key"])
    open_entry(received, number=context["number"], statement=statement, key=key)
    return ACCEPTED


def _witness(received: bytes, context: Context) -> Outcome:
    kept = context["held"]
    held = replace(
        begin(kept["origin"], now_ms=_now(context)),
        checkpoint=Checkpoint(kept["origin"], kept["size"], bytes.fromhex(kept["root"])),
    )
    proof = tuple(map(bytes.fromhex, context["proof"]))
    keys, now_ms = _note_keys(context), _now(context)
    seen = witness(held, received, old_size=context["old_size"], proof=proof, keys=keys, now_ms=now_ms)
    return Outcome(verdict="repeat") if seen is None else ACCEPTED


def _met(received: bytes, context: Context) -> Outcome:
    met, keys = bytes.fromhex(context["met"]), _note_keys(context)
    theirs, ours = read_shown(met, keys=keys), read_shown(received, keys=keys)
    proof = tuple(map(bytes.fromhex, context["proof"]))
    same = check_met(theirs, ours, old_size=context["old_size"], proof=proof, evidence=(met, received))
    return Outcome(verdict="repeat") if same is None else ACCEPTED


OPERATIONS: Final[Mapping[str, Operation]] = {
    "unpack": _unpack,
    "label": _label,
    "admit-sign-key": _admit_sign_key,
    "admit-box-key": _admit_box_key,
    "verify-signature": _verify_signature,
    "open-inline": _open_inline,
    "open-chunked": _open_chunked,
    "route": _route,
    "read": _read,
    "take": _take,
    "up-frame": _up_frame,
    "down-frame": _down_frame,
    "announcement": _announcement,
    "bundle": _bundle,
    "verdict": _verdict,
    "note": _note,
    "checkpoint": _checkpoint,
    "cosignature": _cosignature,
    "inclusion": _inclusion,
    "consistency": _consistency,
    "leaf": _leaf,
    "witness": _witness,
    "met": _met,
}
