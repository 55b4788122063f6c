"""What the authorities may change from one version of the bundle to the next, step by step.

A membership that is added begins no earlier than the version that brings it: joining gives no past traffic (H18). Who
is suspended or revoked, and what an agency is cleared for, counts from the version on; the bundle has no date for it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, NoReturn, get_args

from policy.consistency import CHAIR, check_bundle
from schemas.bundle import Agency, Bundle, Mechanism, Membership, Rule, Standing, Status
from schemas.errors import InputError

Step = Literal[
    "join", "observe", "reciprocate", "credit", "leave", "chair", "suspend", "restore", "revoke", "clearance",
    "adopt", "drop",
]  # fmt: skip
STEPS: Final[tuple[Step, ...]] = get_args(Step)
OF_MECHANISMS: Final = frozenset[Step]({"join", "observe", "reciprocate", "credit", "leave"})
_CHAIR_TITLE: Final = "The chair: convenes and administers, and reads nothing by it"
_STATUS: Final[dict[Step, Status]] = {"suspend": "suspended", "restore": "active", "revoke": "revoked"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """One step.

    Attributes:
        step: What is done.
        who: To whom: a subject of a mechanism, else an agency.
        mechanism: For the steps ``OF_MECHANISMS``.
        level: For ``clearance``.
        rule: For ``adopt``; ``who`` is its id, and of a rule that is dropped too.
        at_ms: For memberships, when it begins or ends, Unix ms; None: with the version. A ``credit`` begins with the
            version, and this is when it ends.
    """

    step: Step
    who: str
    mechanism: str = ""
    level: str = ""
    at_ms: int | None = None
    rule: Rule | None = None

    @property
    def text(self) -> str:
        """The step in words."""
        return f"{self.who} {_DONE[self.step].format(mechanism=self.mechanism, level=self.level)}"


_DONE: Final[dict[Step, str]] = {
    "join": "joins {mechanism}",
    "observe": "observes {mechanism}",
    "reciprocate": "joins {mechanism} on reciprocal terms",
    "credit": "is on record as a contributor to {mechanism}",
    "leave": "leaves {mechanism}",
    "chair": "takes the chair",
    "suspend": "is suspended",
    "restore": "is active again",
    "revoke": "is revoked",
    "clearance": "is cleared for {level}",
    "adopt": "is adopted as a rule",
    "drop": "is no rule any more",
}


def amend(bundle: Bundle, amendments: Iterable[Amendment], *, at_ms: int) -> Bundle:
    """Return the next version of a bundle.

    Args:
        bundle: The version that is held.
        amendments: In the order in which they are to be done.
        at_ms: When the new version is issued, Unix ms; it expires with the old one, and so do its keys.

    Raises:
        InputError: If a step cannot be done, or the outcome does not hold together.
    """
    amended = bundle._replace(version=bundle.version + 1, issued=at_ms)
    for amendment in amendments:
        amended = _AMEND[amendment.step](amended, amendment, at_ms)
    check_bundle(amended)
    return amended


def _refuse(message: str, remedy: str = "leave that step out, or correct whom it names") -> NoReturn:
    raise InputError(message, remedy=remedy)


def _date(amendment: Amendment, issued: int) -> int:
    at_ms = issued if amendment.at_ms is None else amendment.at_ms
    if at_ms < issued:
        _refuse(
            f"{amendment.text} at a date before the new version",
            "joining and leaving work forward only; leave the date out, or give a later one",
        )
    return at_ms


def _in_force(item: Membership, who: str, at_ms: int) -> bool:
    return item.subject == who and item.begin <= at_ms and (item.end is None or at_ms < item.end)


def _ended(memberships: Iterable[Membership], who: str, at_ms: int) -> tuple[Membership, ...]:
    """End what a subject stands in at a date, and drop what would have begun later."""
    return tuple(
        item._replace(end=at_ms) if _in_force(item, who, at_ms) else item
        for item in memberships
        if item.subject != who or item.begin < at_ms
    )


def _find(bundle: Bundle, name: str) -> Mechanism:
    for mechanism in bundle.mechanisms:
        if mechanism.mechanism == name:
            return mechanism
    known = ", ".join(item.mechanism for item in bundle.mechanisms) or "none"
    _refuse(f"the bundle has no mechanism {name!r}", f"it has: {known}")


def _with(bundle: Bundle, name: str, memberships: tuple[Membership, ...]) -> Bundle:
    return bundle._replace(
        mechanisms=tuple(
            item._replace(memberships=memberships) if item.mechanism == name else item for item in bundle.mechanisms
        )
    )


def _stand(standing: Standing) -> Callable[[Bundle, Amendment, int], Bundle]:
    def stand(bundle: Bundle, amendment: Amendment, issued: int) -> Bundle:
        mechanism, at_ms = _find(bundle, amendment.mechanism), _date(amendment, issued)
        if any(_in_force(item, amendment.who, at_ms) and item.standing == standing for item in mechanism.memberships):
            _refuse(f"{amendment.who} is {standing} of {amendment.mechanism} already")
        added = Membership(amendment.who, standing, at_ms)
        # What it has contributed stays on record, on whatever terms it goes on.
        credited = tuple(item for item in mechanism.memberships if item.standing == "contributor")
        stood = tuple(item for item in mechanism.memberships if item.standing != "contributor")
        return _with(bundle, mechanism.mechanism, (*_ended(stood, amendment.who, at_ms), *credited, added))

    return stand


def _credit(bundle: Bundle, amendment: Amendment, issued: int) -> Bundle:
    """Put on record that a subject has contributed: from now until the date named, beside what it stands in.

    A contribution counts for a time and no longer, so a credit without an end is refused.
    """
    mechanism = _find(bundle, amendment.mechanism)
    if amendment.at_ms is None or amendment.at_ms <= issued:
        _refuse(f"{amendment.text} until no date to come", "say until when the contribution counts")
    if any(
        _in_force(item, amendment.who, issued) and item.standing == "contributor"
        and (item.end is None or item.end >= amendment.at_ms)
        for item in mechanism.memberships
    ):  # fmt: skip
        _refuse(f"{amendment.text} until then already")
    added = Membership(amendment.who, "contributor", issued, amendment.at_ms)
    return _with(bundle, mechanism.mechanism, (*mechanism.memberships, added))


def _leave(bundle: Bundle, amendment: Amendment, issued: int) -> Bundle:
    mechanism, at_ms = _find(bundle, amendment.mechanism), _date(amendment, issued)
    if not any(_in_force(item, amendment.who, at_ms) for item in mechanism.memberships):
        _refuse(f"{amendment.who} does not stand in {amendment.mechanism} at that date, by that name")
    return _with(bundle, mechanism.mechanism, _ended(mechanism.memberships, amendment.who, at_ms))


def _chair(bundle: Bundle, amendment: Amendment, issued: int) -> Bundle:
    """Hand the chair over: as an observer of a mechanism of its own, by which nobody can be given anything to read."""
    at_ms = _date(amendment, issued)
    if all(item.mechanism != CHAIR for item in bundle.mechanisms):
        bundle = bundle._replace(mechanisms=(*bundle.mechanisms, Mechanism(CHAIR, _CHAIR_TITLE, ())))
    held = _find(bundle, CHAIR).memberships
    if any(_in_force(item, amendment.who, at_ms) for item in held):
        _refuse(f"{amendment.who} holds the chair already")
    for holder in {item.subject for item in held}:
        held = _ended(held, holder, at_ms)
    return _with(bundle, CHAIR, (*held, Membership(amendment.who, "observer", at_ms)))


def _agency(bundle: Bundle, agency: str) -> Agency:
    for item in bundle.agencies:
        if item.agency == agency:
            return item
    _refuse(f"the bundle names no agency {agency!r}")


def _replaced(bundle: Bundle, agency: Agency) -> Bundle:
    return bundle._replace(
        agencies=tuple(agency if item.agency == agency.agency else item for item in bundle.agencies)
    )  # fmt: skip


def _status(bundle: Bundle, amendment: Amendment, issued: int) -> Bundle:
    agency, status = _agency(bundle, amendment.who), _STATUS[amendment.step]
    if agency.status == status:
        _refuse(f"{agency.agency} is {status} already")
    if agency.status == "revoked":
        _refuse(f"{agency.agency} is revoked, and its keys with it", "it can only be enrolled anew, with new keys")
    keys = agency.keys
    if status == "revoked":
        keys = tuple(key if key.revoked is not None else key._replace(revoked=issued) for key in keys)
    return _replaced(bundle, agency._replace(status=status, keys=keys))


def _clearance(bundle: Bundle, amendment: Amendment, _issued: int) -> Bundle:
    agency = _agency(bundle, amendment.who)
    if agency.clearance == amendment.level:
        _refuse(f"{agency.agency} is cleared for {amendment.level} already")
    return _replaced(bundle, agency._replace(clearance=amendment.level))


def _adopt(bundle: Bundle, amendment: Amendment, _issued: int) -> Bundle:
    if amendment.rule is None or any(rule.rule == amendment.who for rule in bundle.rules):
        _refuse(
            f"the rule {amendment.who} is there already", "give the new rule a name of its own, or drop the old one"
        )
    return bundle._replace(rules=(*bundle.rules, amendment.rule))


def _drop(bundle: Bundle, amendment: Amendment, _issued: int) -> Bundle:
    kept = tuple(rule for rule in bundle.rules if rule.rule != amendment.who)
    if len(kept) == len(bundle.rules):
        _refuse(f"the bundle has no rule {amendment.who}")
    return bundle._replace(rules=kept)


_AMEND: Final[dict[Step, Callable[[Bundle, Amendment, int], Bundle]]] = {
    "join": _stand("member"),
    "observe": _stand("observer"),
    "reciprocate": _stand("reciprocal"),
    "credit": _credit,
    "leave": _leave,
    "chair": _chair,
    "suspend": _status,
    "restore": _status,
    "revoke": _status,
    "clearance": _clearance,
    "adopt": _adopt,
    "drop": _drop,
}
