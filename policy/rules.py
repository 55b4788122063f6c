"""The built-in tests of a recipient, one small object each, in the order of the specification.

Each enforces a handling rule that no community rule can lift (docs/spec/need-to-know.md, "The decision").
"""

from datetime import UTC, datetime
from typing import Final

from policy.caveat_tests import CAVEAT_TESTS
from policy.caveats import ORCON
from policy.life_safety import LifeSafety
from policy.members_first import MembersFirst
from policy.question import HandlingTest, Question
from policy.traffic_light import OPEN_ONWARD, TrafficLight
from policy.verdict import Reason
from schemas.bundle import Agency

_TOLD_MS_MAX: Final = 253_402_300_800_000  # the year 10,000, beyond which no calendar goes; a label may name any time


def moment(at_ms: int) -> str:
    """Write a time, Unix ms, for people."""
    if at_ms >= _TOLD_MS_MAX:
        return f"{at_ms} ms"
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d %H:%M} UTC"


def listed(words: tuple[str, ...]) -> str:
    """Write words as a list for people; nothing is ``nothing``."""
    return ", ".join(words) or "nothing"


class Exclusion:
    """``not``: who is named there gets nothing. A state means all its agencies, industry included."""

    rule: Final = "NTK-NOT"
    cites: Final = "H3"

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Fail if the recipient is among the excluded."""
        excluded = question.label.exclude
        if not excluded:
            return None
        mask = question.community.expand(excluded, every_kind=True) or 0
        passed = not mask & question.community.bit(recipient.agency)
        verb = "is not" if passed else "is"
        text = f"{recipient.agency} {verb} among the excluded ({listed(excluded)})"
        return Reason(rule=self.rule, passed=passed, text=text, cites=self.cites, wanted=excluded)

    def mask(self, question: Question) -> int:
        """Give all but the excluded."""
        excluded = question.community.expand(question.label.exclude, every_kind=True) or 0
        return question.community.everyone & ~excluded


class Releasability:
    """``rel``: only who is named, by agency, home state, body or group; combining is intersection."""

    rule: Final = "NTK-REL"
    cites: Final = "H3"

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Pass if the recipient is one of those that REL TO names."""
        rel = question.label.rel
        if not rel:
            return None
        mask = question.community.expand(rel) or 0
        passed = bool(mask & question.community.bit(recipient.agency))
        verb = "includes" if passed else "does not include"
        text = f"REL TO {listed(rel)} {verb} {recipient.agency}"
        return Reason(rule=self.rule, passed=passed, text=text, cites=self.cites, wanted=rel)

    def mask(self, question: Question) -> int:
        """Give those that REL TO names; everybody if it is not given."""
        rel = question.label.rel
        return (question.community.expand(rel) or 0) if rel else question.community.everyone


class Clearance:
    """The level: nobody reads above its clearance."""

    rule: Final = "NTK-CLEARANCE"
    cites: Final = "H12"

    def check(self, question: Question, recipient: Agency) -> Reason:
        """Pass if the clearance is at or above the level."""
        rank = question.community.level_rank
        level = question.label.level
        passed = rank[recipient.clearance] >= rank[level]
        verb = "reaches" if passed else "is below"
        text = f"the clearance of {recipient.agency}, {recipient.clearance}, {verb} {level}"
        return Reason(
            rule=self.rule, passed=passed, text=text, cites=self.cites, wanted=(level,), held=(recipient.clearance,)
        )

    def mask(self, question: Question) -> int:
        """Give those cleared for the level."""
        return question.community.cleared_for[question.label.level]


class Compartments:
    """Compartments: every one must be held."""

    rule: Final = "NTK-COMPARTMENT"
    cites: Final = "H6"

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Pass if no compartment is missing."""
        wanted = question.label.compartments
        if not wanted:
            return None
        missing = tuple(word for word in wanted if word not in recipient.compartments)
        text = (
            f"{recipient.agency} does not hold {listed(missing)} of the compartments {listed(wanted)}"
            if missing
            else f"{recipient.agency} holds the compartments {listed(wanted)}"
        )
        return Reason(
            rule=self.rule,
            passed=not missing,
            text=text,
            cites=self.cites,
            wanted=wanted,
            held=tuple(word for word in wanted if word in recipient.compartments),
        )

    def mask(self, question: Question) -> int:
        """Give those who hold all of them."""
        mask = question.community.everyone
        for compartment in question.label.compartments:
            mask &= question.community.with_compartment.get(compartment, 0)
        return mask


class Mechanisms:
    """Mechanisms: a member of at least one on that date. An observer attends and does not receive.

    Who is a member on reciprocal terms passes here, and has to pass ``Reciprocity`` as well.
    """

    rule: Final = "NTK-MECHANISM"
    cites: Final = "H18"

    @staticmethod
    def _members(question: Question, mechanism: str) -> int:
        community, at_ms = question.community, question.at_ms
        return community.standing_in(mechanism, "member", at_ms) | community.standing_in(mechanism, "reciprocal", at_ms)

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Pass if one of the agreements has the recipient as a member, on whatever terms."""
        wanted = question.label.mechanisms
        if not wanted:
            return None
        bit = question.community.bit(recipient.agency)
        held = tuple(word for word in wanted if self._members(question, word) & bit)
        text = (
            f"{recipient.agency} is a full member of {listed(held)}"
            if held
            else f"{recipient.agency} is a full member of none of {listed(wanted)} on that date"
        )
        return Reason(rule=self.rule, passed=bool(held), text=text, cites=self.cites, wanted=wanted, held=held)

    def mask(self, question: Question) -> int:
        """Give the members of any of them."""
        if not question.label.mechanisms:
            return question.community.everyone
        mask = 0
        for mechanism in question.label.mechanisms:
            mask |= self._members(question, mechanism)
        return mask


class Reciprocity:
    """Reciprocity: who is a member on reciprocal terms reads while it is on record as a contributor."""

    rule: Final = "NTK-RECIPROCITY"
    cites: Final = "H8"

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Pass if one of the agreements asks no contribution of the recipient, or has one on record."""
        community, wanted = question.community, question.label.mechanisms
        bit = community.bit(recipient.agency)
        pools = tuple(word for word in wanted if community.standing_in(word, "reciprocal", question.at_ms) & bit)
        if not pools:
            return None
        held = tuple(word for word in wanted if community.full_members(word, question.at_ms) & bit)
        text = (
            f"{recipient.agency} reads {listed(held)}, to which it contributes or owes nothing"
            if held
            else f"{recipient.agency} is on record as a contributor to none of {listed(pools)} on that date"
        )
        return Reason(rule=self.rule, passed=bool(held), text=text, cites=self.cites, wanted=pools, held=held)

    def mask(self, question: Question) -> int:
        """Give all but those whom only reciprocal terms admit and who have not contributed."""
        community, at_ms = question.community, question.at_ms
        owing = reading = 0
        for mechanism in question.label.mechanisms:
            owing |= community.standing_in(mechanism, "reciprocal", at_ms)
            reading |= community.full_members(mechanism, at_ms)
        return community.everyone & ~(owing & ~reading)


class ThirdParty:
    """The third-party rule: nobody hands on what is another's without the originator's consent."""

    rule: Final = "NTK-ONWARD"
    cites: Final = "H1"

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Pass an onward release to whom the originator has consented, or that the TLP leaves open."""
        if not question.is_onward:
            return None
        label, via = question.label, question.via
        sender = question.community.agency(via) if via is not None else None
        if sender is None or not question.community.bit(sender.agency) & question.community.active(question.at_ms):
            text = "nobody who takes part is named as handing it on"
            return Reason(rule=self.rule, passed=False, text=text, cites=self.cites)
        if ORCON in label.caveats:
            # The stricter test follows, and it should be the one that names the refusal.
            text = f"{via} hands it on under ORCON"
            return Reason(rule=self.rule, passed=True, text=text, cites=self.cites)
        passed = label.tlp in OPEN_ONWARD or recipient.agency == via or question.consented_to(recipient.agency)
        text = (
            f"{via} may hand it to {recipient.agency}"
            if passed
            else f"{via} has no consent of {question.originator.agency} to hand it to {recipient.agency}"
        )
        return Reason(rule=self.rule, passed=passed, text=text, cites=self.cites)

    def mask(self, question: Question) -> int:
        """Give everybody: the originator needs nobody's consent but its own."""
        return question.community.everyone


class OriginatorControl:
    """ORCON: beyond the original audience, each reader needs the originator's grant."""

    rule: Final = "NTK-ORCON"
    cites: Final = "H2"

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Pass the original audience and whoever a grant covers."""
        if ORCON not in question.label.caveats or not question.is_onward:
            return None
        passed = question.consented_to(recipient.agency)
        text = (
            f"{recipient.agency} is of the original audience or has a grant"
            if passed
            else f"ORCON: {recipient.agency} had it not from {question.originator.agency}, and no grant covers it now"
        )
        return Reason(rule=self.rule, passed=passed, text=text, cites=self.cites)

    def mask(self, question: Question) -> int:
        """Give everybody: a release by the originator is its consent."""
        return question.community.everyone


class Embargo:
    """The embargo: nothing before its time."""

    rule: Final = "NTK-EMBARGO"
    cites: Final = "H13"

    def check(self, question: Question, _recipient: Agency) -> Reason | None:
        """Pass from the embargo's end on."""
        not_before = question.label.not_before
        if not_before is None:
            return None
        passed = question.at_ms >= not_before
        text = f"the embargo {'ended' if passed else 'holds until'} {moment(not_before)} (now {moment(question.at_ms)})"
        return Reason(rule=self.rule, passed=passed, text=text, cites=self.cites)

    def mask(self, question: Question) -> int:
        """Give everybody or nobody."""
        not_before = question.label.not_before
        return question.community.everyone if not_before is None or question.at_ms >= not_before else 0


class Expiry:
    """The expiry: nothing after its time."""

    rule: Final = "NTK-EXPIRY"
    cites: Final = "H13"

    def check(self, question: Question, _recipient: Agency) -> Reason | None:
        """Pass up to and including the time of expiry."""
        if question.expires_ms is None:
            return None
        passed = question.at_ms <= question.expires_ms
        text = f"it {'lapses' if passed else 'lapsed'} at {moment(question.expires_ms)} (now {moment(question.at_ms)})"
        return Reason(rule=self.rule, passed=passed, text=text, cites=self.cites)

    def mask(self, question: Question) -> int:
        """Give everybody or nobody."""
        return (
            question.community.everyone if question.expires_ms is None or question.at_ms <= question.expires_ms else 0
        )


# The order of the specification: the first to fail names the refusal.
HANDLING_TESTS: Final[tuple[HandlingTest, ...]] = (
    Exclusion(),
    Releasability(),
    Clearance(),
    Compartments(),
    Mechanisms(),
    Reciprocity(),
    *CAVEAT_TESTS,
    MembersFirst(),
    LifeSafety(),
    TrafficLight(),
    ThirdParty(),
    OriginatorControl(),
    Embargo(),
    Expiry(),
)
