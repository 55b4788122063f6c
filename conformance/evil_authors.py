"""Layer L3, the router's side: who made it, and whether all its parts are what was signed."""

from typing import Any

from conformance import curve
from conformance.evil_book import (
    Row,
    always,
    at,
    change,
    enter_rows,
    envelope,
    flip,
    hooked,
    note,
    plan,
    put,
    route,
    sealed,
    swap,
    world,
)
from conformance.evil_envelopes import L3
from conformance.evil_sealer import Hook
from schemas.errors import Code
from sealing.primitives import digest, sign


def _other() -> tuple[bytes, ...]:
    """Return the fields of another honest envelope."""
    fields: list[tuple[bytes, ...]] = []
    envelope(name="another", hooks={"envelope-fields": note(fields)})
    return fields[0]


MIXED = "parts of two honest messages must not make a third"
ONE: dict[str, Any] = {"labels": (world.LABEL,), "readers": (("bravo", (0,)),)}


def _signer_rows() -> tuple[Row, ...]:
    forged = "whoever can make this speaks in the originator's name"
    lost = "a key that was lost must be worth nothing from the day on that it is known"
    other = _other()
    return (
        ("sender_is_another", Code.TOPIC_MISMATCH, "WIRE-004", "Bravo sends what alpha signed.",
         "a recorded envelope must be worth nothing to whoever recorded it", "Substitution", plan(sender="bravo")),
        ("sender_unknown", Code.UNKNOWN_SENDER, "KEY-004", "The originator is not in the bundle.", forged, None,
         lambda: route(hooked(header_fields=put(2, ("zulu",))), sender="zulu")),
        ("sender_revoked", Code.KEY_REVOKED, "KEY-005", "The originator's status is revoked.", lost, "Revoked",
         lambda: route(hooked(header_fields=put(2, ("echo",))), sender="echo")),
        ("key_revoked", Code.KEY_REVOKED, "KEY-008", "The key was revoked; the message claims to be older.", lost,
         "Revoked", lambda: route(_by("foxtrot", ts=world.NOW - world.DAY_MS), sender="foxtrot")),
        ("key_over", Code.KEY_TIME, "KEY-007", "The originator's only key is over.", lost, "Revoked",
         lambda: route(_by("hotel"), sender="hotel")),
        ("key_not_begun", Code.KEY_TIME, "KEY-007", "Sealed before the originator's key began.", forged, None,
         plan(ts=world.KEYS_FROM - 1, exp=world.KEYS_FROM + world.DAY_MS)),
        ("signed_by_another", Code.BAD_SIG, "ENV-061", "Bravo signed in alpha's name.", forged, None,
         at(signed=lambda signed: signed, signature=lambda _old: sign(world.sign_pair("bravo").secret, b"", b"x"))),
        ("signed_as_cosignature", Code.BAD_SIG, "ENV-021", "Signed for another purpose.", forged, "CrossProtocol",
         at(signed=lambda signed: signed.replace(b"release", b"cosign"))),
        ("signed_without_wraps_hash", Code.BAD_SIG, "ENV-056", "The signature covers the id alone.",
         "the readers would not be signed", None, at(signed=lambda signed: signed[:-32])),
        ("signed_with_second_spelling", Code.BAD_SIG, "ENV-022", "The group order added to S.",
         "one release has one signature", "Malleable", at(signature=curve.second_spelling)),
        ("signature_zero", Code.BAD_SIG, "ENV-061", "64 zero bytes.", forged, None, at(signature=always(bytes(64)))),
        ("header_of_another", Code.BAD_SIG, "ENV-029", "The header of another message of alpha's.", MIXED,
         "Substitution", at(envelope_fields=put(0, other[0]))),
        ("header_changed_after_signing", Code.BAD_SIG, "ENV-029", "One bit of the header turned after signing.",
         forged, None, at(envelope_fields=change(0, flip(-1)))),
        ("cosignature_of_another", Code.BAD_COSIG, "ENV-062", "Charlie's signature in golf's place.",
         "a co-signer that never agreed", "Substitution",
         lambda: route(envelope(by=("alpha", "golf", "charlie"), cosigners=("charlie",),
                                hooks={"cosignatures": lambda old: (old[1], None)}))),
        ("cosignature_is_a_release", Code.BAD_COSIG, "ENV-021", "A release signature as a co-signature.",
         "a co-signer that never agreed", "CrossProtocol",
         lambda: route(envelope(by=("golf", "alpha"), **ONE, hooks={
             "cosignatures": lambda _old: (sign(world.sign_pair("alpha").secret, b"sw1 release\0", bytes(64)),)}),
             sender="golf")),
        ("cosignature_of_another_message", Code.BAD_COSIG, "ENV-057", "Golf's co-signature of another message.",
         "a co-signer that never agreed to this", "Substitution",
         lambda: route(envelope(by=("alpha", "golf"), hooks={
             "cosignatures": lambda _old: (sign(world.sign_pair("golf").secret, b"sw1 cosign\0", bytes(32)),)}))),
        ("cosigner_unknown", Code.UNKNOWN_SENDER, "ENV-063", "A co-signer that is not in the bundle.",
         "a name without a key decorates the report", None,
         at(header_fields=put(2, ("alpha", "zulu")), cosignatures=always((None,)))),
        ("cosigner_revoked", Code.KEY_REVOKED, "ENV-063", "A co-signer that is revoked.", lost, "Revoked",
         at(header_fields=put(2, ("alpha", "echo")), cosignatures=always((None,)))),
    )  # fmt: skip


def _part_rows() -> tuple[Row, ...]:
    other = _other()
    return (
        ("wraps_of_another", Code.WRAPS_HASH, "ENV-064", "The wraps of another message of alpha's.", MIXED,
         "Substitution", at(envelope_fields=put(5, other[5]))),
        ("wrap_dropped", Code.WRAPS_HASH, "ENV-064", "One reader's wrap is missing.",
         "the readers are the originator's choice", None, at(wraps_hash=_hash_of_more)),
        ("disclosures_of_another", Code.DISCLOSURE, "ENV-039", "The disclosures of another message.", MIXED,
         "Substitution", at(envelope_fields=put(4, other[4]))),
        ("disclosures_swapped", Code.DISCLOSURE, "ENV-039", "Two disclosures stand at each other's place.",
         "a label would be read as another text's", "Substitution",
         at(disclosed=lambda all_: [(all_[0][0], all_[1][1]), (all_[1][0], all_[0][1]), *all_[2:]],
            blobs=swap)),
        ("label_lowered", Code.DISCLOSURE, "ENV-039", "The highest portion's label was lowered after sealing.",
         "a label is signed with its text", "OverWide", at(disclosed=_lower_labels)),
        ("blob_of_another", Code.BLOB_HASH, "ENV-040", "The blobs of another message.", MIXED, "Substitution",
         at(envelope_fields=put(6, other[6]))),
        ("blobs_swapped", Code.BLOB_HASH, "ENV-040", "Two blobs changed places.", MIXED, "Substitution",
         at(blobs=swap)),
        ("manifest_too_short", Code.BLOB_HASH, "CHK-003", "A manifest shorter than its disclosure says.",
         "chunks that nobody can name", None, at(disclosure_fields=put(3, 2))),
        ("portion_hidden", Code.DISCLOSURE, "ENV-041", "One real portion is not disclosed to the router.",
         "a text could pass below router and co-signers", "HiddenPortion",
         at(disclosed=lambda all_: all_[1:], blobs=lambda all_: all_[1:])),
        ("seed_missing", Code.DISCLOSURE, "ENV-041", "The decoy seed is nil.",
         "without it nobody can tell a decoy from a portion", "HiddenPortion",
         at(envelope_fields=change(4, lambda pair: (None, pair[1])))),
        ("seed_of_another", Code.DISCLOSURE, "ENV-041", "Another decoy seed.",
         "without it nobody can tell a decoy from a portion", "HiddenPortion",
         at(envelope_fields=change(4, lambda pair: (bytes(32), pair[1])))),
        ("decoy_for_another_place", Code.DISCLOSURE, "ENV-038", "The decoy of another place.",
         "a decoy is bound to its place", "HiddenPortion", at(commitments=_decoy_moved)),
    )  # fmt: skip


def _by(name: str, **changes: Any) -> bytes:
    """Return an envelope in the name of an agency without a box key: alpha's wraps, its own signature."""
    signed: list[bytes] = []
    hooks: dict[str, Hook] = {
        "header-fields": put(2, (name,)),
        "signed": note(signed),
        "signature": lambda _old: sign(world.sign_pair(name).secret, b"", signed[-1]),
    }
    return envelope(hooks=hooks, **changes)


def _hash_of_more(honest: bytes) -> bytes:
    return digest(b"sw1 wraps", honest)


def _lower_labels(all_: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [(place, disclosure.replace(b"EX-SECRET", b"EX-UNCLAS")) for place, disclosure in all_]


def _decoy_moved(listed: tuple[bytes, ...]) -> tuple[bytes, ...]:
    message, _ = sealed()
    used = {portion.commitment for portion in message.portions}
    moved = digest(b"sw1 decoy", message.seed + (77).to_bytes(2, "big"))
    return tuple(item if item in used else moved for item in listed)


enter_rows(L3, (*_signer_rows(), *_part_rows()), op="route", base="plain")
