"""Joint products: who contributed, who signed when, who left and why, and how long agreement took."""

from dataclasses import dataclass

from scenarios.evaluate.history import History, Moment, read_recorded_label
from scenarios.evaluate.policy_cells import label_text


@dataclass(frozen=True, slots=True, kw_only=True)
class JointAnswer:
    """What a co-signer said, as its lead had it: ``signed``, ``refused`` or ``withdrawn``, and when."""

    member: str
    answer: str
    at_ms: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JointProduct:
    """One text that several agencies were asked to stand by.

    Attributes:
        banner: The marking of the whole, computed from its parts.
        originators: Who contributed a part, beside the lead.
        unsigned: Who was named and had not signed by ENDEX.
        released_ms: When it first went to its readers; None if it never did.
        readers: To whom it went.
        replaces: The product in whose place it was made, after somebody had left that one.
        replaced_ms: When it was itself taken back, since somebody had left it.
    """

    hid: str
    lead: str
    banner: str
    originators: tuple[str, ...]
    cosigners: tuple[str, ...]
    needed: int
    asked_ms: int
    answers: tuple[JointAnswer, ...]
    unsigned: tuple[str, ...]
    released_ms: int | None
    readers: tuple[str, ...]
    replaces: str | None
    replaced_ms: int | None


def list_joint(history: History) -> tuple[JointProduct, ...]:
    """List the joint products of a play, in the order in which they were shown to their co-signers."""
    return tuple(_follow(asked, history) for asked in history.of_stage("joint_asked"))


def _follow(asked: Moment, history: History) -> JointProduct:
    hid, lead = asked.text("hid"), asked.source
    answers = tuple(
        JointAnswer(
            member=moment.text("member"), answer=moment.text("answer"), at_ms=moment.at_ms, reason=moment.text("reason")
        )
        for moment in history.of_stage("cosign_received", source=lead)
        if moment.text("hid") == hid
    )
    releases = [moment for moment in history.of_stage("joint_released", source=lead) if moment.text("hid") == hid]
    made_again = history.of_stage("joint_reissued", source=lead)
    cosigners = _names(asked, "cosigners")
    signed = {answer.member for answer in answers if answer.answer == "signed"}
    return JointProduct(
        hid=hid,
        lead=lead,
        banner=label_text(read_recorded_label(asked.fields["banner"])),
        originators=_names(asked, "originators"),
        cosigners=cosigners,
        needed=int(asked.fields["needed"]),
        asked_ms=asked.at_ms,
        answers=answers,
        unsigned=tuple(name for name in cosigners if name not in signed),
        released_ms=releases[0].at_ms if releases else None,
        readers=_names(releases[-1], "readers") if releases else (),
        replaces=next((moment.text("of") for moment in made_again if moment.text("hid") == hid), None),
        replaced_ms=next((moment.at_ms for moment in made_again if moment.text("of") == hid), None),
    )


def _names(moment: Moment, field: str) -> tuple[str, ...]:
    return tuple(str(name) for name in moment.fields[field])
