"""What each caveat asks of a recipient, one small object each.

PAP colours bind what is done with a portion, not who has it: they test nothing and become obligations.
"""

from typing import Final

from policy.caveats import (
    LEAD_ONLY,
    NAMED,
    NATONLY,
    NO_PARTNERS,
    NOBODY,
    PERSONAL,
    PERSONAL_PURPOSE,
    PROPIN,
    RESIDENCY,
    operands,
)
from policy.question import HandlingTest, Question
from policy.verdict import Reason
from schemas.bundle import Agency


class NationalOnly:
    """NATONLY: never leaves the originator's state; a body has no state."""

    rule: Final = "NTK-NATONLY"
    cites: Final = "H4"

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Pass an agency of the originator's own state."""
        if NATONLY not in question.label.caveats:
            return None
        home = question.originator.state
        passed = home is not None and recipient.state == home
        text = f"NATONLY: {recipient.agency} is of {recipient.state or 'no state'}, the originator of {home or 'none'}"
        return Reason(
            rule=self.rule,
            passed=passed,
            text=text,
            cites=self.cites,
            wanted=() if home is None else (home,),
            held=() if recipient.state is None else (recipient.state,),
        )

    def mask(self, question: Question) -> int:
        """Give the agencies of the originator's state."""
        if NATONLY not in question.label.caveats:
            return question.community.everyone
        home = question.originator.state
        return 0 if home is None else question.community.with_state[home]


class Residency:
    """RESIDENCY:<state>: stays with agencies of that state."""

    rule: Final = "NTK-RESIDENCY"
    cites: Final = "H4"

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Pass an agency of each state named; two different states leave nobody."""
        wanted = tuple(operands(question.label, RESIDENCY))
        if not wanted:
            return None
        passed = all(recipient.state == state for state in wanted)
        text = f"RESIDENCY of {', '.join(wanted)}: {recipient.agency} is of {recipient.state or 'no state'}"
        held = () if recipient.state is None else (recipient.state,)
        return Reason(rule=self.rule, passed=passed, text=text, cites=self.cites, wanted=wanted, held=held)

    def mask(self, question: Question) -> int:
        """Give the agencies of every state named."""
        mask = question.community.everyone
        for state in operands(question.label, RESIDENCY):
            mask &= question.community.with_state.get(state, 0)
        return mask


class Proprietary:
    """PROPIN: commercial confidence; to no competitor in industry and to no partner, save who wrote it."""

    rule: Final = "NTK-PROPIN"
    cites: Final = "H10"

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Pass whoever is neither industry nor partner."""
        if PROPIN not in question.label.caveats:
            return None
        passed = recipient.kind not in {"industry", "partner"}
        text = f"PROPIN: {recipient.agency} is of the kind {recipient.kind}"
        return Reason(rule=self.rule, passed=passed, text=text, cites=self.cites, held=(recipient.kind,))

    def mask(self, question: Question) -> int:
        """Give all but industry and partners."""
        if PROPIN not in question.label.caveats:
            return question.community.everyone
        with_kind = question.community.with_kind
        return question.community.everyone & ~(with_kind.get("industry", 0) | with_kind.get("partner", 0))


class NoPartners:
    """NO-PARTNERS: to no dialogue partner."""

    rule: Final = "NTK-NO-PARTNERS"
    cites: Final = "H3"

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Pass whoever is no partner."""
        if NO_PARTNERS not in question.label.caveats:
            return None
        passed = recipient.kind != "partner"
        text = f"NO-PARTNERS: {recipient.agency} is of the kind {recipient.kind}"
        return Reason(rule=self.rule, passed=passed, text=text, cites=self.cites, held=(recipient.kind,))

    def mask(self, question: Question) -> int:
        """Give all but partners."""
        if NO_PARTNERS not in question.label.caveats:
            return question.community.everyone
        return question.community.everyone & ~question.community.with_kind.get("partner", 0)


class PurposeLimit:
    """LEAD-ONLY:<purpose> and PERSONAL: only for a purpose that the recipient holds."""

    rule: Final = "NTK-PURPOSE"
    cites: Final = "H7"

    @staticmethod
    def _wanted(question: Question) -> tuple[str, ...]:
        personal = (PERSONAL_PURPOSE,) if PERSONAL in question.label.caveats else ()
        return (*operands(question.label, LEAD_ONLY), *personal)

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Pass if every purpose is held."""
        wanted = self._wanted(question)
        if not wanted:
            return None
        missing = tuple(purpose for purpose in wanted if purpose not in recipient.purposes)
        verb = f"does not hold {', '.join(missing)} of" if missing else "holds"
        text = f"{recipient.agency} {verb} the purposes {', '.join(wanted)}"
        held = tuple(purpose for purpose in wanted if purpose in recipient.purposes)
        return Reason(rule=self.rule, passed=not missing, text=text, cites=self.cites, wanted=wanted, held=held)

    def mask(self, question: Question) -> int:
        """Give those who hold every purpose."""
        mask = question.community.everyone
        for purpose in self._wanted(question):
            mask &= question.community.with_purpose.get(purpose, 0)
        return mask


class NamedReaders:
    """NAMED:<agency>: the named ones and nobody else."""

    rule: Final = "NTK-NAMED"
    cites: Final = "H3"

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Pass the named ones."""
        wanted = tuple(operands(question.label, NAMED))
        if not wanted:
            return None
        passed = recipient.agency in wanted
        text = f"NAMED {', '.join(wanted)}: {recipient.agency} is {'one of them' if passed else 'none of them'}"
        return Reason(rule=self.rule, passed=passed, text=text, cites=self.cites, wanted=wanted)

    def mask(self, question: Question) -> int:
        """Give the named ones; everybody if none is named."""
        named = tuple(operands(question.label, NAMED))
        return (question.community.expand(named) or 0) if named else question.community.everyone


class Nobody:
    """NOBODY: what is left of parts whose audiences do not meet; its originator's own."""

    rule: Final = "NTK-NOBODY"
    cites: Final = "H3"

    def check(self, question: Question, recipient: Agency) -> Reason | None:
        """Pass nobody."""
        if NOBODY not in question.label.caveats:
            return None
        text = f"NOBODY: the parts of this have no reader in common, so {recipient.agency} cannot be one"
        return Reason(rule=self.rule, passed=False, text=text, cites=self.cites)

    def mask(self, question: Question) -> int:
        """Give nobody."""
        return 0 if NOBODY in question.label.caveats else question.community.everyone


CAVEAT_TESTS: Final[tuple[HandlingTest, ...]] = (
    NationalOnly(),
    Residency(),
    Proprietary(),
    NoPartners(),
    PurposeLimit(),
    NamedReaders(),
    Nobody(),
)
