"""Enrolment: from a pack to a community whose members have keys and trust one signed bundle.

The exercise's authorities sign the bundle (two of three must), every agency gets a key ring, and each starts out
knowing the authorities and nothing else (docs/spec/need-to-know.md, "Bundle").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from agencies.keyring import new_key_ring
from policy.consistency import check_bundle
from scenarios.model import Pack, Participant
from schemas.bundle import (
    Agency,
    Authority,
    Bundle,
    Mechanism,
    Membership,
    Predicate,
    RouterKey,
    Rule,
    SignKey,
    Status,
    TrustRoot,
)
from schemas.errors import InputError
from schemas.label import WORKFLOW_TOPICS
from schemas.limits import CLOCK_SKEW_MS_MAX
from sealing.entropy import Entropy
from sealing.keyfile import KeyRing
from sealing.keys import SignPair, new_sign_pair, sign_pair_from_seed
from sealing.statements import sign_bundle

ROUTER: Final = "rt-region"
_AUTHORITIES: Final = ("auth-chair", "auth-host", "auth-secretariat")
_THRESHOLD: Final = 2  # one authority's key alone can change nothing
_LIFETIME_MS: Final = 400 * 24 * 3_600_000  # a year of planning and play, and a month to look back
_SIGNED_BEFORE_MS: Final = 24 * 3_600_000  # in force before STARTEX, for the communications check

# Receipts, requests and decisions say nothing of any report; every member of the community may exchange them.
WORKFLOW_RULE: Final = Rule("WORKFLOW", "permit", (Predicate("topic", tuple(sorted(WORKFLOW_TOPICS.values()))),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Community:
    """What enrolment makes: the signed bundle, the trust root, and everybody's secrets."""

    bundle: Bundle
    signed_bundle: bytes
    root: TrustRoot
    router: SignPair = field(repr=False)
    authorities: dict[str, SignPair] = field(repr=False)
    rings: dict[str, KeyRing] = field(repr=False)


def enrol(pack: Pack, *, entropy: Entropy, at_ms: int | None = None) -> Community:
    """Make the community that a pack describes.

    Args:
        pack: Names agencies, agreements and rules.
        entropy: Where all keys come from.
        at_ms: When the bundle is issued, Unix ms; a day before STARTEX unless given.
    """
    issued = pack.start_ms - _SIGNED_BEFORE_MS if at_ms is None else at_ms
    router = new_sign_pair(entropy)
    authorities = {name: new_sign_pair(entropy) for name in _AUTHORITIES}
    rings = {item.agency: new_key_ring(item.agency, entropy) for item in pack.participants}
    bundle = make_bundle(pack, version=1, issued=issued, router=router.public, rings=rings)
    root = TrustRoot(tuple(Authority(name, pair.public) for name, pair in sorted(authorities.items())), _THRESHOLD)
    signers = dict(sorted(authorities.items())[:_THRESHOLD])
    return Community(
        bundle=bundle,
        signed_bundle=sign_bundle(bundle, signers),
        root=root,
        router=router,
        authorities=authorities,
        rings=rings,
    )


def make_bundle(
    pack: Pack,
    *,
    version: int,
    issued: int,
    router: bytes,
    rings: Mapping[str, KeyRing],
    status: Mapping[str, Status] | None = None,
) -> Bundle:
    """Make a version of the pack's bundle.

    Args:
        pack: The pack.
        version: Counts up.
        issued: Unix ms.
        router: The router's public key.
        rings: Everybody's keys, for their public halves.
        status: Agencies that are not active.
    """
    expires = issued + _LIFETIME_MS
    return Bundle(
        v=1,
        version=version,
        issued=issued,
        expires=expires,
        levels=pack.levels,
        compartments=pack.compartments,
        groups=pack.groups,
        mechanisms=pack.mechanisms,
        agencies=tuple(
            _agency(
                item,
                sign_pair_from_seed(rings[item.agency].sign_seed).public,
                issued,
                expires,
                (status or {}).get(item.agency, "active"),
            )
            for item in sorted(pack.participants, key=lambda item: item.agency)
        ),
        routers=(RouterKey(ROUTER, SignKey(router, issued, expires)),),
        rules=_with_workflow(pack.rules),
        marks=pack.marks,
    )


def revise_bundle(
    held: Bundle, pack: Pack, *, at_ms: int, newcomers: Mapping[str, bytes] = MappingProxyType({})
) -> Bundle:
    """Make the next version of a bundle: the words of a pack, with the keys and the standing of who is enrolled.

    A membership that is new begins with the version at the earliest: joining gives no past traffic (H18).

    Args:
        held: The version before.
        pack: Whose names, agreements, rules and attributes are to hold.
        at_ms: When it is issued, Unix ms.
        newcomers: The public keys of agencies that come in with this version (scenarios/accession.py).

    Raises:
        InputError: If the pack has other participants, or does not hold together.
    """
    known = {agency.agency: agency for agency in held.agencies}
    wanted = {item.agency: item for item in pack.participants}
    for name, key in newcomers.items():
        if name in known or name not in wanted:
            msg = f"{name} is in the region already" if name in known else f"the pack has no participant {name}"
            raise InputError(msg, remedy="an agency comes in once, and as the pack describes it")
        # Its key holds no longer than the bundle does, and every version ends with the first.
        begin_ms = max(held.issued, at_ms - CLOCK_SKEW_MS_MAX)
        known[name] = _agency(wanted[name], key, begin_ms, held.expires, "active")
    if wanted.keys() - known.keys():
        first = min(wanted.keys() - known.keys())
        msg = f"{', '.join(sorted(wanted.keys() - known.keys()))} of the pack has no keys in this region"
        raise InputError(msg, remedy=f"make them by 'sandiwara enrol DIR {first}', and give its card by --enrol")
    if known.keys() - wanted.keys():
        msg = f"the pack has no participant {', '.join(sorted(known.keys() - wanted.keys()))}"
        raise InputError(msg, remedy="nobody is left out of a bundle; use --suspend or --revoke")
    rules = _with_workflow(pack.rules)
    agencies = tuple(
        known[item.agency]._replace(
            name=item.name, state=item.state, role=item.role, kind=item.kind, clearance=item.clearance,
            compartments=item.compartments, purposes=item.purposes, client_of=item.client_of,
        )
        for item in sorted(pack.participants, key=lambda item: item.agency)
    )  # fmt: skip
    revised = held._replace(
        version=held.version + 1, issued=at_ms, levels=pack.levels, compartments=pack.compartments,
        groups=pack.groups, mechanisms=_forward_only(held, pack.mechanisms, at_ms), agencies=agencies, rules=rules,
        marks=pack.marks,
    )  # fmt: skip
    check_bundle(revised)
    return revised


def _forward_only(held: Bundle, mechanisms: tuple[Mechanism, ...], at_ms: int) -> tuple[Mechanism, ...]:
    before = {
        (mechanism.mechanism, item.subject, item.standing, item.begin)
        for mechanism in held.mechanisms
        for item in mechanism.memberships
    }

    def dated(mechanism: Mechanism, item: Membership) -> Membership:
        known = (mechanism.mechanism, item.subject, item.standing, item.begin) in before
        return item if known else item._replace(begin=max(item.begin, at_ms))

    return tuple(
        mechanism._replace(memberships=tuple(dated(mechanism, item) for item in mechanism.memberships))
        for mechanism in mechanisms
    )


def _with_workflow(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return rules if any(rule.rule == WORKFLOW_RULE.rule for rule in rules) else (*rules, WORKFLOW_RULE)


def _agency(item: Participant, key: bytes, begin_ms: int, end_ms: int, status: Status) -> Agency:
    return Agency(
        agency=item.agency,
        name=item.name,
        state=item.state,
        role=item.role,
        kind=item.kind,
        clearance=item.clearance,
        compartments=item.compartments,
        purposes=item.purposes,
        client_of=item.client_of,
        status=status,
        keys=(SignKey(key, begin_ms, end_ms),),
    )
