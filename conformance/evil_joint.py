"""Layer L4, joint products: shown before anybody has signed, answered unasked, hidden from who is to sign."""

from typing import Any

from conformance.evil_audiences import L4
from conformance.evil_book import Made, Row, enter_rows, envelope, route, sealed, world
from conformance.evil_sealer import Hook, Sealed, cut
from schemas.codec import pack
from schemas.errors import Code
from schemas.workflow import CosignContent
from sealing.primitives import sign

_NAMED = ("alpha", "golf", "charlie")
_TWO = (world.LABEL, world.LABEL)
_ANSWER = world.LABEL._replace(tlp="AMBER", topic="workflow.cosign", level="EX-UNCLAS")


def _joint(**changes: Any) -> tuple[Sealed, bytes]:
    """Seal alpha's report that golf and charlie are to co-sign, and show it to both."""
    both = (("charlie", (0, 1)), ("golf", (0, 1)))
    return sealed(**{"name": "joint", "by": _NAMED, "labels": _TWO, "readers": both, **changes})


def _answer(reader: str = "alpha", *, by: str = "golf", **changes: Any) -> Made:
    """Let golf, whom alpha asks to co-sign, answer after the report has been shown."""
    message, made = _joint()
    signature = sign(world.sign_pair(by).secret, b"sw1 cosign\0", message.hid)
    plan: dict[str, Any] = {
        "name": "cosign", "kind": "cosign", "by": (by,), "ref": message.hid, "labels": (_ANSWER,),
        "contents": (pack(CosignContent("EXERCISE", signature, "")),), "readers": ((reader, (0,)),),
    }  # fmt: skip
    return route(envelope(**plan | changes), sender=by, earlier=(("alpha", made),))


@L4.accepts("route", "ENV-057", why="control")
def joint_report_to_its_cosigners() -> Made:
    """A report that nobody has co-signed yet goes to those who are to."""
    return route(_joint()[1])


@L4.accepts("route", "ENV-057", "ENV-070", base="joint_report_to_its_cosigners",
            mutation="golf has signed, to bravo, without blobs", why="control")  # fmt: skip
def joint_report_to_a_reader() -> Made:
    """The same report with one co-signature goes to a reader."""
    _, made = _joint()
    _, again = _joint(readers=(("bravo", (0, 1)),), cosigners=("golf",), with_blobs=False)
    return route(again, earlier=(("alpha", made),))


@L4.accepts("route", "RTR-041", why="control")
def cosignature_to_the_lead() -> Made:
    """A co-signer answers the lead."""
    return _answer()


def _router_rows() -> tuple[Row, ...]:
    unsigned = "what nobody stands by yet would be read as everybody's"
    decorated = "whoever is not asked could stand in a report's name, or learn that it exists"
    return (
        ("joint_report_unsigned_to_a_reader", Code.AUDIENCE, "RTR-049", "Nobody has signed, and bravo is a reader.",
         unsigned, "Unsigned", lambda: route(_joint(readers=(("bravo", (0, 1)), ("golf", (0, 1))))[1])),
        ("cosignature_to_another", Code.AUDIENCE, "RTR-048", "A co-signature goes to an agency that is not the lead.",
         "it would learn that the joint report exists", "Existence", lambda: _answer("bravo")),
        ("cosignature_without_a_portion", Code.AUDIENCE, "RTR-040", "A co-signature that says nothing.",
         "a wrap without portions tells only that something exists", None,
         lambda: _answer(labels=(), contents=(), readers=(("alpha", ()),))),
        ("cosignature_unasked", Code.REFERENCE, "RTR-047", "Bravo answers a report that does not name it.", decorated,
         "Existence", lambda: _answer(by="bravo")),
        ("cosignature_of_the_lead", Code.REFERENCE, "RTR-047", "The lead answers itself.", decorated, None,
         lambda: _answer("golf", by="alpha")),
        ("cosignature_of_nothing", Code.REFERENCE, "RTR-047", "A co-signature without a reference.", decorated, None,
         lambda: _answer(ref=None)),
        ("cosignature_of_the_unknown", Code.REFERENCE, "RTR-047", "A co-signature of what was never sent.",
         "the answer must not tell whether another's report exists", "Existence", lambda: _answer(ref=bytes(32))),
        ("cosignature_with_another_topic", Code.REFERENCE, "RTR-041", "A co-signature with the topic of a report.",
         "what is not marked as a co-signature is routed as one", None, lambda: _answer(labels=(world.LABEL,))),
    )  # fmt: skip


enter_rows(L4, _router_rows(), op="route", base="cosignature_to_the_lead")


def _shown(message: Sealed, made: bytes, **hooks: Hook) -> Made:
    """Hand golf its cut, with the decoy seed unless a step is hooked."""
    steps: dict[str, Hook] = {"cut-seed": lambda _none: message.seed}
    steps |= {name.replace("_", "-"): hook for name, hook in hooks.items()}
    return Made(cut(made, "golf", steps), {"me": "golf"})


def _three(**changes: Any) -> tuple[Sealed, bytes]:
    """Seal a joint report of three portions, one place of which stays a decoy."""
    return _joint(**{"labels": (*_TWO, world.LABEL), "readers": (("golf", (0, 1, 2)),), **changes})


@L4.accepts("take", "ENV-041", why="control")
def cosigners_cut() -> Made:
    """A co-signer gets every portion and the decoy seed."""
    return _shown(*_three())


def _cosigner_rows() -> tuple[Row, ...]:
    unseen = "a text could be co-signed that its co-signer never saw"
    return (
        ("cosigners_cut_without_seed", Code.DISCLOSURE, "RTR-050", "The router keeps the seed from a co-signer.",
         unseen, "HiddenPortion", lambda: _shown(*_three(), cut_seed=lambda _seed: None)),
        ("cosigners_cut_with_another_seed", Code.DISCLOSURE, "ENV-041", "The seed of another message.", unseen,
         "HiddenPortion", lambda: _shown(*_three(), cut_seed=lambda _seed: bytes(32))),
        ("portion_hidden_from_a_cosigner", Code.DISCLOSURE, "ENV-041", "A portion is withheld from a co-signer.",
         unseen, "HiddenPortion", lambda: _shown(*_three(readers=(("golf", (0, 1)),)))),
    )  # fmt: skip


enter_rows(L4, _cosigner_rows(), op="take", base="cosigners_cut")
