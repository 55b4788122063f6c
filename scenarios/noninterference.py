"""Non-interference: a pack is played with and without a secret report, and observers must not notice which it was.

Goguen and Meseguer's property, tried on the whole system in virtual time: what an agency sees may depend on what it
may know, and on nothing else. Two plays of one seed differ in one secret alone; what an observer sees of them is laid
side by side (docs/spec/need-to-know.md, "Non-interference").
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from policy.decide import decide
from policy.difference import PastPortion
from policy.verdict import Action
from scenarios.community_changes import communities_of
from scenarios.model import Pack
from scenarios.noninterference_desk import Concealment, HeldBack, Secret, orders_touching
from scenarios.noninterference_difference import Difference, first_difference
from scenarios.noninterference_sight import Sight
from scenarios.noninterference_world import Watching, play_world
from scenarios.past_reports import past_portions
from scenarios.placeholder_community import placeholder_bundle
from scenarios.record import Event, read_record
from schemas.errors import ExerciseError, InputError

_SECRET_KINDS: Final = ("report", "rfi", "answer")  # what bears labels of its author's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A secret that can be tried.

    Attributes:
        secret: What it is.
        originator: Whose.
        untold: Who was told nothing of it in an ordinary play.
        uncleared: Those of them who may know nothing of it by the rules.
    """

    secret: Secret
    originator: str
    untold: tuple[str, ...]
    uncleared: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one secret.

    Attributes:
        secret: What it was.
        originator: Whose.
        hidden: How many messages and injects the secret came to, with all that followed from it.
        differences: For each observer the first thing by which it could tell the worlds apart, or None.
        sights: For each observer what it saw in the world without the secret, and in the one with it.
        held_back: What desks would have told an observer of their own will, and were kept from.
    """

    secret: Secret
    originator: str
    hidden: int
    differences: dict[str, Difference | None]
    sights: dict[str, tuple[Sight, Sight]]
    held_back: tuple[HeldBack, ...]

    @property
    def holds(self) -> bool:
        """Whether no observer could tell."""
        return not any(self.differences.values())


def find_candidates(
    pack: Pack, *, watching: Watching, named: Sequence[Secret] = (), observers: Collection[str] = ()
) -> tuple[Candidate, ...]:
    """Play a pack once, and return the secrets in it that can be tried.

    Args:
        pack: What is played.
        watching: How it is watched.
        named: These alone; where none is named, every report, in order of release.
        observers: Of reports that are not named, those of which one of these was told nothing; where none is named,
            those of which somebody may know nothing.

    Raises:
        ExerciseError: If the communications check fails.
        CapacityError: If a step does not come to rest.
        InputError: If there is none, no such observer, order or inject, or nothing comes of it.
    """
    _check_known(pack, observers)
    for secret in named:
        _check_there(pack, secret)
    nothing = Concealment(secret=None, present=False, observers=frozenset())
    play_world(pack, nothing, watching=watching, name="survey")
    events = read_record(watching.folder / "survey" / "record")
    if named:
        return tuple(_find(pack, secret, events) for secret in named)
    reports = _reports(pack, events)
    found = tuple(item for item in reports if (set(observers) & set(item.untold) if observers else item.uncleared))
    if not found:
        who = "an agency may know" if not observers else f"{', '.join(sorted(observers))} is told"
        msg = f"{pack.header.pack} sends no report of which {who} nothing"
        raise InputError(msg, remedy="mark one for fewer than all, or name with --observer who is told nothing of one")
    return found


def try_secret(
    pack: Pack,
    candidate: Candidate,
    *,
    observers: Collection[str],
    watching: Watching,
    step: Callable[[str], None] = lambda _text: None,
) -> Trial:
    """Play a pack with and without a secret, and compare what each observer saw.

    Args:
        pack: What is played.
        candidate: The secret.
        observers: Who must not notice; the uncleared, where none is named.
        watching: How the plays are watched.
        step: Told of each play as it begins.

    Raises:
        ExerciseError: If the communications check fails, or the secret never came about.
        CapacityError: If a step does not come to rest.
        InputError: If an observer is nobody in the pack, or knows the secret by right.
    """
    _check_known(pack, observers)
    chosen = frozenset(observers or candidate.uncleared)
    _check_untold(candidate, chosen)
    begun = Concealment(secret=candidate.secret, present=True, observers=chosen)
    present, sights_with = _play_present(pack, begun, watching=watching, step=step)
    step(f"{candidate.secret.name}: playing the world without it")
    absent = replace(present, present=False, hidden=set(), orders=set(), held_back=set())
    sights_without = play_world(pack, absent, watching=watching, name=f"{candidate.secret.name}-without")
    sights = {name: (sights_without[name], sights_with[name]) for name in sorted(chosen)}
    return Trial(
        secret=candidate.secret,
        originator=candidate.originator,
        hidden=len(present.hidden),
        differences={name: first_difference(*pair) for name, pair in sights.items()},
        sights=sights,
        held_back=tuple(sorted(present.held_back)),
    )


def _play_present(
    pack: Pack, begun: Concealment, *, watching: Watching, step: Callable[[str], None]
) -> tuple[Concealment, dict[str, Sight]]:
    """Play the world with the secret, until it is known which orders touch what is sent in secret."""
    secret = begun.secret or Secret()
    touching = orders_touching(pack, {secret.order} if secret.order else ())
    while True:
        step(f"{secret.name}: playing the world with it")
        concealment = replace(begun, touching=touching, hidden=set(), orders=set(), held_back=set())
        sights = play_world(pack, concealment, watching=watching, name=f"{secret.name}-with-{len(touching)}")
        if not concealment.hidden:
            msg = f"{secret.name} sent nothing in the world with it"
            raise ExerciseError(msg, remedy="its links and desks are not those of an ordinary play; name another one")
        found = touching | orders_touching(pack, concealment.orders)
        if found == touching:
            return concealment, sights
        touching = found


def _check_known(pack: Pack, observers: Collection[str]) -> None:
    unknown = set(observers) - {item.agency for item in pack.participants}
    if unknown:
        msg = f"{pack.header.pack} has no agency {', '.join(sorted(unknown))}"
        raise InputError(msg, remedy=f"it has {', '.join(sorted(item.agency for item in pack.participants))}")


def _check_untold(candidate: Candidate, observers: frozenset[str]) -> None:
    told = observers - set(candidate.untold)
    if told or not observers:
        who = f"{', '.join(sorted(told))} is told" if told else "everybody may know"
        msg = f"{who} of {candidate.secret.name}, so there is nothing to hide"
        raise InputError(msg, remedy=f"told nothing of it: {', '.join(candidate.untold) or 'nobody'}")


def _check_there(pack: Pack, secret: Secret) -> None:
    known = {item.order for item in pack.orders} if secret.order else {item.inject for item in pack.injects}
    if secret.name not in known:
        what = "standing order" if secret.order else "inject"
        msg = f"{pack.header.pack} has no {what} {secret.name!r}"
        raise InputError(msg, remedy=f"it has {', '.join(sorted(known))}")


def _find(pack: Pack, secret: Secret, events: Sequence[Event]) -> Candidate:
    if secret.order is not None:
        found = [item for item in _reports(pack, events) if item.secret == secret]
    else:
        caused = {event.fields["hid"] for event in _released(events) if event.fields["cause"] == secret.inject}
        own = [portion for portion in past_portions(events, kinds=_SECRET_KINDS) if portion.hid in caused]
        holders = {agency for item in pack.injects if item.inject == secret.inject for agency in item.to}
        found = [_candidate(pack, secret, own, events, holders=holders)] if own else []
    if not found:
        msg = f"no report comes of {secret.name} when {pack.header.pack} is played"
        raise InputError(msg, remedy="'sandiwara run PACK --virtual' shows which orders send what")
    return found[0]


def _released(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.stage == "released" and event.fields["portions"]]


def _reports(pack: Pack, events: Sequence[Event]) -> list[Candidate]:
    """Return the reports of a play by the orders that sent them, each with its uncleared."""
    orders = {event.fields["hid"]: event.fields["order"] for event in _released(events)}
    by_order: dict[str, list[PastPortion]] = {}
    for portion in past_portions(events, kinds=_SECRET_KINDS):
        by_order.setdefault(orders.get(portion.hid, ""), []).append(portion)
    return [_candidate(pack, Secret(order=order), own, events) for order, own in by_order.items() if order]


def _candidate(
    pack: Pack, secret: Secret, own: Sequence[PastPortion], events: Iterable[Event], *, holders: Collection[str] = ()
) -> Candidate:
    hids = {portion.hid for portion in own}
    told = {event.source for event in events if event.stage == "verified" and event.fields["hid"] in hids}
    told |= {portion.originator for portion in own} | set(holders)
    communities = communities_of(pack, placeholder_bundle(pack))

    def may_have(agency: str, portion: PastPortion) -> bool:
        verdict = decide(
            portion.label,
            originator=portion.originator,
            recipient=agency,
            action=Action.RELEASE,
            at_ms=portion.at_ms,
            community=communities.at(portion.at_ms),
        )
        return verdict.permit

    untold = tuple(item.agency for item in pack.participants if item.agency not in told)
    # An adversary of the pack holds lines and keys of others, and what it sees by them is no fault of the machinery.
    red = {act.who for act in pack.red}
    uncleared = tuple(name for name in untold if name not in red and not any(may_have(name, item) for item in own))
    return Candidate(secret=secret, originator=own[0].originator, untold=untold, uncleared=uncleared)
