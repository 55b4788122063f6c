"""The Traffic Light Protocol 2.0, tested for this hop. Its audiences are no nested sets, so each is tested by itself.

The originator chooses its recipients, so only RED narrows its own release; the others say who may be told onward.
"If a recipient needs to share the information more widely than indicated by the original TLP designation, they must
obtain explicit permission from the original source": a grant of the originator is that permission, for whom it names.
Not so with RED, whose readers the mark itself names (docs/adr/0012-grants-and-tlp.md).
"""

from typing import Final, assert_never

from policy.caveats import NAMED, operands
from policy.question import Question
from policy.verdict import Reason
from schemas.bundle import Agency
from schemas.label import Label, Tlp

OPEN_ONWARD: Final[frozenset[Tlp]] = frozenset({"CLEAR", "GREEN"})
_PEERS_AND_PARTNERS: Final = frozenset({"member", "body", "partner"})


def named_agencies(label: Label) -> tuple[str, ...]:
    """Name the agencies that a label names one by one, as RED asks: in REL TO or by ``NAMED:``."""
    return (*label.rel, *operands(label, NAMED))


def _granted(question: Question, recipient: Agency) -> bool:
    # "Sharing wider needs the source's explicit permission." That it once gave the portion to the recipient itself is
    # none for somebody else's copy, so the original audience does not count here.
    return question.granted_to(recipient.agency)


class TrafficLight:
    """The TLP test of a hop."""

    rule: Final = "NTK-TLP"
    cites: Final = "H11"

    def check(self, question: Question, recipient: Agency) -> Reason:
        """Pass if the recipient is in the audience of the TLP mark for this hop."""
        tlp = question.label.tlp
        passed = self._admits(question, recipient)
        verb = "admits" if passed else "does not admit"
        hop = f"from {question.via} onward" if question.is_onward else "from its originator"
        text = f"TLP:{tlp} {verb} {recipient.agency} {hop}"
        return Reason(rule=self.rule, passed=passed, text=text, cites=self.cites, wanted=(tlp,))

    def _admits(self, question: Question, recipient: Agency) -> bool:
        tlp = question.label.tlp
        match tlp:
            case "RED":
                # "For the eyes and ears of individual recipients only": a state or group on the list names nobody.
                return recipient.agency in named_agencies(question.label)
            case "AMBER+STRICT":
                return not question.is_onward or recipient.agency == question.via or _granted(question, recipient)
            case "AMBER":
                in_house = question.via in (recipient.agency, *recipient.client_of)
                return not question.is_onward or in_house or _granted(question, recipient)
            case "GREEN":
                # A stricter mark must not reach further by the same grant, so what opens AMBER opens GREEN too.
                among_peers = recipient.kind in _PEERS_AND_PARTNERS
                return not question.is_onward or among_peers or _granted(question, recipient)
            case "CLEAR":
                return True
            case _:
                assert_never(tlp)

    def mask(self, question: Question) -> int:
        """Give the named agencies for RED, everybody for the others."""
        if question.label.tlp != "RED":
            return question.community.everyone
        mask = 0
        for agency in named_agencies(question.label):
            mask |= question.community.bit(agency)
        return mask
