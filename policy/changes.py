"""The single changes that could turn a verdict: of the label, an agency, a membership, a rule, a consent.

These are drafts, made from the tests that failed. Whether one does turn the verdict is not believed here but decided
anew by ``explain.nearest_change``.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from policy.caveat_tests import PurposeLimit
from policy.caveats import MEMBERS_FIRST, NAMED, ORCON
from policy.community import Community
from policy.enquiry import Enquiry
from policy.members_first import MembersFirst, permission_for
from policy.routing import NO_PERMIT
from policy.verdict import Action, Reason, Verdict
from schemas.bundle import Agency, Bundle, Membership, Predicate, PredicateName, Rule
from schemas.label import TLP_ORDER, Label
from schemas.limits import UINT_MS_MAX
from schemas.workflow import Grant

Subject = Literal["consent", "label", "agency", "membership", "rule"]

# Of two changes that reach equally far, a consent binds one reader, a label one report; the rest need the authorities.
SUBJECT_ORDER: Final[tuple[Subject, ...]] = get_args(Subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One change, not yet tried.

    Attributes:
        subject: What is changed.
        text: The change in plain words, as an imperative.
        enquiry: The question after the change.
        bundle: The bundle after the change, or None if it stays.
    """

    subject: Subject
    text: str
    enquiry: Enquiry
    bundle: Bundle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """What a drafting function is given: the question, by whose rules it was refused, and the test that failed."""

    enquiry: Enquiry
    community: Community
    recipient: Agency
    reason: Reason

    def relabel(self, text: str, label: Label) -> Draft:
        return Draft(subject="label", text=text, enquiry=replace(self.enquiry, label=label))

    def drop_caveats(self, names: Iterable[str]) -> Iterator[Draft]:
        """Draft the removal of each caveat of some names, one at a time."""
        label = self.enquiry.label
        for word in label.caveats:
            if word.partition(":")[0] in names:
                kept = tuple(other for other in label.caveats if other != word)
                yield self.relabel(f"take the caveat {word} from the label", label._replace(caveats=kept))

    def change_agency(self, text: str, changed: Agency) -> Draft:
        bundle = self.community.bundle
        agencies = tuple(changed if agency.agency == changed.agency else agency for agency in bundle.agencies)
        return Draft(subject="agency", text=text, enquiry=self.enquiry, bundle=bundle._replace(agencies=agencies))

    def join(self, mechanism: str) -> Draft:
        """Draft a full membership of the recipient from now on."""
        bundle = self.community.bundle
        joined = Membership(self.recipient.agency, "member", self.enquiry.at_ms)
        mechanisms = tuple(
            each._replace(memberships=(*each.memberships, joined)) if each.mechanism == mechanism else each
            for each in bundle.mechanisms
        )
        text = f"make {self.recipient.agency} a full member of {mechanism}"
        return Draft(
            subject="membership", text=text, enquiry=self.enquiry, bundle=bundle._replace(mechanisms=mechanisms)
        )

    def change_rules(self, text: str, rules: tuple[Rule, ...]) -> Draft:
        bundle = self.community.bundle._replace(rules=rules)
        return Draft(subject="rule", text=text, enquiry=self.enquiry, bundle=bundle)


def _with(words: tuple[str, ...], *more: str) -> tuple[str, ...]:
    return tuple(sorted({*words, *more}))


def _not_excluded(refusal: _Refusal) -> Iterator[Draft]:
    label = refusal.enquiry.label
    for subject in label.exclude:
        kept = tuple(other for other in label.exclude if other != subject)
        yield refusal.relabel(f"take {subject} from the excluded", label._replace(exclude=kept))


def _released(refusal: _Refusal) -> Iterator[Draft]:
    label, recipient = refusal.enquiry.label, refusal.recipient.agency
    yield refusal.relabel(f"add {recipient} to REL TO", label._replace(rel=_with(label.rel, recipient)))


def _cleared(refusal: _Refusal) -> Iterator[Draft]:
    label, recipient = refusal.enquiry.label, refusal.recipient
    yield refusal.relabel(f"lower the level to {recipient.clearance}", label._replace(level=recipient.clearance))
    text = f"raise the clearance of {recipient.agency} to {label.level}"
    yield refusal.change_agency(text, recipient._replace(clearance=label.level))


def _read_in(refusal: _Refusal) -> Iterator[Draft]:
    label, recipient = refusal.enquiry.label, refusal.recipient
    missing = tuple(word for word in label.compartments if word not in recipient.compartments)
    kept = tuple(word for word in label.compartments if word in recipient.compartments)
    names = ", ".join(missing)
    yield refusal.relabel(f"take the compartments {names} from the label", label._replace(compartments=kept))
    compartments = _with(recipient.compartments, *missing)
    text = f"read {recipient.agency} into {names}"
    yield refusal.change_agency(text, recipient._replace(compartments=compartments))


def _joined(refusal: _Refusal) -> Iterator[Draft]:
    label = refusal.enquiry.label
    yield refusal.relabel("ask for no mechanism", label._replace(mechanisms=()))
    yield from (refusal.join(mechanism) for mechanism in label.mechanisms)


def _contributing(refusal: _Refusal) -> Iterator[Draft]:
    """Draft that a contribution is on record, from now on."""
    bundle, recipient = refusal.community.bundle, refusal.recipient.agency
    for pool in refusal.reason.wanted:
        credited = Membership(recipient, "contributor", refusal.enquiry.at_ms)
        mechanisms = tuple(
            each._replace(memberships=(*each.memberships, credited)) if each.mechanism == pool else each
            for each in bundle.mechanisms
        )
        yield Draft(
            subject="membership",
            text=f"have {recipient} contribute to {pool}, and put that on record",
            enquiry=refusal.enquiry,
            bundle=bundle._replace(mechanisms=mechanisms),
        )


def _without_caveat(*names: str) -> Callable[[_Refusal], Iterator[Draft]]:
    return lambda refusal: refusal.drop_caveats(names)


def _given_purpose(refusal: _Refusal) -> Iterator[Draft]:
    recipient = refusal.recipient
    yield from refusal.drop_caveats(("LEAD-ONLY", "PERSONAL"))
    purposes = _with(recipient.purposes, *refusal.reason.wanted)
    text = f"give {recipient.agency} the purposes {', '.join(refusal.reason.wanted)}"
    yield refusal.change_agency(text, recipient._replace(purposes=purposes))


def _named(refusal: _Refusal) -> Iterator[Draft]:
    label, recipient = refusal.enquiry.label, refusal.recipient.agency
    caveats = _with(label.caveats, f"{NAMED}:{recipient}")
    yield refusal.relabel(f"add the caveat {NAMED}:{recipient}", label._replace(caveats=caveats))


def _lit(refusal: _Refusal) -> Iterator[Draft]:
    label, recipient, via = refusal.enquiry.label, refusal.recipient, refusal.enquiry.via
    if label.tlp == "RED":
        # Where NAMED names others, its own test has failed too and drafts the name.
        yield from _released(refusal)
    for tlp in reversed(TLP_ORDER[: TLP_ORDER.index(label.tlp)]):
        yield refusal.relabel(f"mark it TLP:{tlp}", label._replace(tlp=tlp))
    if refusal.enquiry.action is Action.ONWARD and via is not None:
        yield from _granted(refusal)
        text = f"make {recipient.agency} a client of {via}"
        yield refusal.change_agency(text, recipient._replace(client_of=_with(recipient.client_of, via)))


def _consented(refusal: _Refusal) -> Iterator[Draft]:
    yield from refusal.drop_caveats((ORCON,))
    yield from _granted(refusal)


def _granted(refusal: _Refusal) -> Iterator[Draft]:
    enquiry = refusal.enquiry
    if enquiry.hid is None or enquiry.bit is None:
        return
    grant = Grant(enquiry.hid, 1 << enquiry.bit, enquiry.originator, enquiry.recipient, enquiry.at_ms, UINT_MS_MAX)
    text = f"ask {enquiry.originator} to grant it to {enquiry.recipient}"
    yield Draft(subject="consent", text=text, enquiry=replace(enquiry, grants=(*enquiry.grants, grant)))


def _members_asked(refusal: _Refusal) -> Iterator[Draft]:
    enquiry = refusal.enquiry
    yield from refusal.drop_caveats((MEMBERS_FIRST,))
    if enquiry.hid is None or enquiry.bit is None:
        return
    permissions = tuple(
        permission_for(
            mechanism, hid=enquiry.hid, bit=enquiry.bit, originator=enquiry.originator, reader=enquiry.recipient,
            at_ms=enquiry.at_ms,
        )
        for mechanism in refusal.reason.wanted
    )  # fmt: skip
    text = f"propose it to the members of {', '.join(refusal.reason.wanted)}, and let none of them object"
    changed = replace(enquiry, permissions=(*enquiry.permissions, *permissions))
    yield Draft(subject="consent", text=text, enquiry=changed)


def _no_embargo(refusal: _Refusal) -> Iterator[Draft]:
    yield refusal.relabel("lift the embargo", refusal.enquiry.label._replace(not_before=None))


def _not_lapsed(refusal: _Refusal) -> Iterator[Draft]:
    enquiry = replace(refusal.enquiry, expires_ms=refusal.enquiry.at_ms)
    yield Draft(subject="label", text="let the report lapse later", enquiry=enquiry)


def _originator_active(refusal: _Refusal) -> Iterator[Draft]:
    originator = refusal.community.agency(refusal.enquiry.originator)
    if originator is not None:
        text = f"make {originator.agency} active"
        yield refusal.change_agency(text, originator._replace(status="active"))


def _recipient_active(refusal: _Refusal) -> Iterator[Draft]:
    recipient = refusal.recipient
    yield refusal.change_agency(f"make {recipient.agency} active", recipient._replace(status="active"))


def _permitted(refusal: _Refusal) -> Iterator[Draft]:
    enquiry, recipient = refusal.enquiry, refusal.recipient
    label = enquiry.label
    if recipient.state is not None and recipient.state not in label.affected:
        affected = _with(label.affected, recipient.state)
        text = f"name {recipient.state} as affected"
        yield refusal.relabel(text, label._replace(affected=affected))
    rules = refusal.community.bundle.rules
    predicates = [predicate for rule in rules if rule.effect == "permit" for predicate in rule.predicates]
    mechanisms = {value for predicate in predicates if predicate.name == "mechanism" for value in predicate.values}
    yield from (refusal.join(mechanism) for mechanism in sorted(mechanisms))
    taken = {rule.rule for rule in rules}
    name = next(name for name in (f"proposed-{number}" for number in range(len(taken) + 1)) if name not in taken)
    asked: dict[PredicateName, str] = {"topic": label.topic, "role": recipient.role, "kind": recipient.kind}
    if recipient.state is not None:
        asked["state"] = recipient.state
    rule = Rule(name, "permit", tuple(Predicate(each, (value,)) for each, value in asked.items()))
    text = "add a rule: permit " + ", ".join(f"{each} {value}" for each, value in asked.items())
    yield refusal.change_rules(text, (*rules, rule))


def _unforbidden(refusal: _Refusal) -> Iterator[Draft]:
    kept = tuple(rule for rule in refusal.community.bundle.rules if rule.rule != refusal.reason.rule)
    yield refusal.change_rules(f"take away the rule {refusal.reason.rule}", kept)


_DRAFTING: Final[dict[str, Callable[[_Refusal], Iterator[Draft]]]] = {
    "NTK-NO-RULES": _permitted,
    "NTK-ORIGINATOR": _originator_active,
    "NTK-RECIPIENT": _recipient_active,
    "NTK-NOT": _not_excluded,
    "NTK-REL": _released,
    "NTK-CLEARANCE": _cleared,
    "NTK-COMPARTMENT": _read_in,
    "NTK-MECHANISM": _joined,
    "NTK-RECIPROCITY": _contributing,
    "NTK-NATONLY": _without_caveat("NATONLY"),
    "NTK-RESIDENCY": _without_caveat("RESIDENCY"),
    "NTK-PROPIN": _without_caveat("PROPIN"),
    "NTK-NO-PARTNERS": _without_caveat("NO-PARTNERS"),
    MembersFirst.rule: _members_asked,
    PurposeLimit.rule: _given_purpose,
    "NTK-NAMED": _named,
    "NTK-NOBODY": _without_caveat("NOBODY"),
    "NTK-TLP": _lit,
    "NTK-ONWARD": _consented,
    "NTK-ORCON": _consented,
    "NTK-EMBARGO": _no_embargo,
    "NTK-EXPIRY": _not_lapsed,
    NO_PERMIT: _permitted,
}
# A label nobody can read and a word nobody knows have no draft: guessing what was meant would lift a restriction.
_WITHOUT_DRAFT: Final = frozenset({"NTK-LABEL", "NTK-UNKNOWN"})


def drafts(enquiry: Enquiry, verdict: Verdict, community: Community) -> Iterator[Draft]:
    """Yield the single changes that might turn a verdict, in the order of the tests that failed.

    Args:
        enquiry: What was asked.
        verdict: What was answered.
        community: By whose rules.
    """
    recipient = community.agency(enquiry.recipient)
    if recipient is None:
        return
    if verdict.permit:
        exclude = _with(enquiry.label.exclude, recipient.agency)
        changed = replace(enquiry, label=enquiry.label._replace(exclude=exclude))
        yield Draft(subject="label", text=f"exclude {recipient.agency}", enquiry=changed)
        return
    for reason in verdict.reasons:
        if reason.passed or reason.rule in _WITHOUT_DRAFT:
            continue
        draft = _DRAFTING.get(reason.rule, _unforbidden)
        yield from draft(_Refusal(enquiry=enquiry, community=community, recipient=recipient, reason=reason))
