"""A second opinion on need to know: the same rules and agencies, written in Cedar and decided by Cedar's engine.

Nothing of ``policy`` is used on Cedar's side. Groups, home states and agreements are Cedar's entity hierarchy, labels
are attributes of the portion, and every built-in test is a forbidding policy of its own.
"""

import random  # noqa: TID251 - cases are drawn from named seeds, many at a time, where Hypothesis would be slow
from itertools import product
from typing import Any

import cedarpy
import pytest

from policy.audience import audience_mask
from policy.community import Community
from policy.decide import Action, decide
from schemas.bundle import Agency, Bundle, Group, Mechanism, Membership, Predicate, RouterKey, Rule, SignKey
from schemas.label import EXERCISE_LEVELS, PRECEDENCE_ORDER, TLP_ORDER, Label
from schemas.workflow import Grant

NOW = 1_000
HID = b"h" * 32
KEY = SignKey(b"k" * 32, 0, 2 * NOW)
STATES = ("IDN", "MYS", "SGP", "THA")
ROLES = ("cert", "mar", "fiu")
BODIES = ("rb-ifc", "rb-regcert")
PARTNERS = ("dp-aus-cert", "dp-jpn-mar")
OTHERS = ("in-bank", "in-ship", "ex-white")
IDS = tuple(sorted((*(f"{s.lower()}-{r}" for s, r in product(STATES, ROLES)), *BODIES, *PARTNERS, *OTHERS)))
COMPARTMENTS = ("alpha", "beta")
PURPOSES = ("fiu", "personal-data")
MECHANISMS = ("msp", "our-eyes", "reg-cert")
GROUPS = ("@east", "@west")
SUBJECTS = (*IDS, *STATES, *GROUPS)
TOPICS = ("cyber", "cyber.ransomware", "cyber.scam.loan", "cyberx", "toc.piracy")
CAVEATS = (
    "LEAD-ONLY:fiu", "NAMED:mys-cert", "NAMED:sgp-mar", "NATONLY", "NO-PARTNERS", "NOBODY", "ORCON", "PAP:RED",
    "PERSONAL", "PROPIN", "RESIDENCY:MYS", "RESIDENCY:SGP",
)  # fmt: skip
UNKNOWN = (
    {"level": "EX-COSMIC"}, {"compartments": ("gamma",)}, {"mechanisms": ("five-eyes",)}, {"rel": ("@nato",)},
    {"exclude": ("FRA",)}, {"caveats": ("EYES-ONLY",)}, {"caveats": ("NAMED:fra-cert",)},
)  # fmt: skip
VALUES: dict[str, tuple[str, ...]] = {
    "topic": ("cyber", "cyber.*", "cyber.scam.*", "toc.piracy", "toc.*"),
    "role": ROLES,
    "state": (*STATES, "affected", "originator"),
    "kind": ("member", "body", "partner", "industry", "staff"),
    "mechanism": MECHANISMS,
    "tlp": (*TLP_ORDER, *(f">={tlp}" for tlp in TLP_ORDER)),
    "level": (*EXERCISE_LEVELS, *(f">={level}" for level in EXERCISE_LEVELS)),
    "precedence": (*PRECEDENCE_ORDER, ">=IMMEDIATE"),
    "caveat": CAVEATS,
    "affected": STATES,
    "originator": (*STATES, "affected", "unaffected"),
}

# Every built-in test, from the text of the specification. The originator's own is beyond all but the first two.
BUILT_IN = """
forbid (principal, action, resource) when { resource.unknown };
forbid (principal, action, resource) when { !principal.active || !resource.originator.active };
permit (principal, action, resource) when { principal == resource.originator };
forbid (principal, action, resource) when { principal in resource.exclude } unless { principal == resource.originator };
forbid (principal, action, resource) when { resource.is_released_to && !(principal in resource.rel) }
  unless { principal == resource.originator };
forbid (principal, action, resource) when { principal.clearance < resource.level }
  unless { principal == resource.originator };
forbid (principal, action, resource) when { !principal.compartments.containsAll(resource.compartments) }
  unless { principal == resource.originator };
forbid (principal, action, resource) when { resource.asks_mechanism && !(%MECHANISMS%) }
  unless { principal == resource.originator };
forbid (principal, action, resource) when { resource.caveats.contains("NATONLY")
    && !(principal has state && resource.originator has state && principal.state == resource.originator.state) }
  unless { principal == resource.originator };
forbid (principal, action, resource) when { !resource.residency.isEmpty()
    && !(principal has state && resource.residency == [principal.state]) }
  unless { principal == resource.originator };
forbid (principal, action, resource) when { resource.caveats.contains("PROPIN")
    && ["industry", "partner"].contains(principal.kind) } unless { principal == resource.originator };
forbid (principal, action, resource) when { resource.caveats.contains("NO-PARTNERS") && principal.kind == "partner" }
  unless { principal == resource.originator };
forbid (principal, action, resource) when { !principal.purposes.containsAll(resource.purposes) }
  unless { principal == resource.originator };
forbid (principal, action, resource) when { !resource.named.isEmpty() && !resource.named.contains(principal) }
  unless { principal == resource.originator };
forbid (principal, action, resource) when { resource.caveats.contains("NOBODY") }
  unless { principal == resource.originator };
forbid (principal, action, resource) when { resource.embargoed || context.lapsed }
  unless { principal == resource.originator };
forbid (principal, action, resource) when { resource.tlp == 4
    && !resource.rel.contains(principal) && !resource.named.contains(principal) }
  unless { principal == resource.originator };

forbid (principal, action == Action::"onward", resource) when { !(context has via) || !context.via.active }
  unless { principal == resource.originator };
forbid (principal, action == Action::"onward", resource) when { context has via && context.via != resource.originator
    && resource.tlp == 3 && principal != context.via && !context.granted.contains(principal) }
  unless { principal == resource.originator };
forbid (principal, action == Action::"onward", resource) when { context has via && context.via != resource.originator
    && resource.tlp == 2 && principal != context.via && !principal.client_of.contains(context.via)
    && !context.granted.contains(principal) }
  unless { principal == resource.originator };
forbid (principal, action == Action::"onward", resource) when { context has via && context.via != resource.originator
    && resource.tlp == 1 && !["member", "body", "partner"].contains(principal.kind)
    && !context.granted.contains(principal) }
  unless { principal == resource.originator };
forbid (principal, action == Action::"onward", resource) when { context has via && context.via != resource.originator
    && resource.tlp >= 2 && !resource.caveats.contains("ORCON") && principal != context.via
    && !context.granted.contains(principal) && !context.original_audience.contains(principal) }
  unless { principal == resource.originator };
forbid (principal, action == Action::"onward", resource) when { context has via && context.via != resource.originator
    && resource.caveats.contains("ORCON")
    && !context.granted.contains(principal) && !context.original_audience.contains(principal) }
  unless { principal == resource.originator };
"""


def full_member(mechanism: str) -> str:
    """Write who is a full member: without further terms, or on reciprocal ones and with a contribution on record."""
    on_terms = f'principal in Pool::"{mechanism}" && principal in Contributors::"{mechanism}"'
    return f'(principal in Mechanism::"{mechanism}" || ({on_terms}))'


BUILT_IN = BUILT_IN.replace(
    "%MECHANISMS%",
    " || ".join(f'(resource.mechanisms.contains("{word}") && {full_member(word)})' for word in MECHANISMS),
)
OF_AN_AFFECTED_STATE = "resource.originator has state && resource.affected.contains(resource.originator.state)"
PLACE_OF_STANDING = {"member": "Mechanism", "reciprocal": "Pool", "contributor": "Contributors"}


def entity(kind: str, name: str) -> dict[str, Any]:
    return {"__entity": {"type": kind, "id": name}}


def uid(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}


def subject_kind(subject: str, *, excluding: bool = False) -> str:
    """Name the entity type of a subject; an exclusion of a state also means its industry and partners."""
    if subject.startswith("@"):
        return "WideGroup" if excluding else "Group"
    if subject.isupper():
        return "WideState" if excluding else "State"
    return "Agency"


def cedar_agency(agency: Agency) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "role": agency.role,
        "kind": agency.kind,
        "clearance": EXERCISE_LEVELS.index(agency.clearance),
        "compartments": list(agency.compartments),
        "purposes": list(agency.purposes),
        "client_of": [entity("Agency", each) for each in agency.client_of],
        "active": agency.status == "active"
        and any(
            key.not_before <= NOW < key.expires and not (key.revoked is not None and key.revoked <= NOW)
            for key in agency.keys
        ),
    }
    parents = []
    if agency.state is not None:
        attributes["state"] = agency.state
        parents.append(uid("WideState", agency.state))
        if agency.kind == "member":
            parents.append(uid("State", agency.state))
    return {"uid": uid("Agency", agency.agency), "attrs": attributes, "parents": parents}


def cedar_entities(bundle: Bundle) -> list[dict[str, Any]]:
    """Write the community as entities; who stands in what is hierarchy, as of now."""
    entities = {(each["uid"]["type"], each["uid"]["id"]): each for each in map(cedar_agency, bundle.agencies)}
    for kind, names in (
        ("State", STATES), ("WideState", STATES), ("Group", GROUPS), ("WideGroup", GROUPS), ("Mechanism", MECHANISMS),
        ("Pool", MECHANISMS), ("Contributors", MECHANISMS),
    ):  # fmt: skip
        for name in names:
            entities[kind, name] = {"uid": uid(kind, name), "attrs": {}, "parents": []}
    for group in bundle.groups:
        for member in group.members:
            entities[subject_kind(member), member]["parents"].append(uid("Group", group.group))
            wide = subject_kind(member, excluding=True)
            entities[wide, member]["parents"].append(uid("WideGroup", group.group))
    for mechanism in bundle.mechanisms:
        for held in mechanism.memberships:
            place = PLACE_OF_STANDING.get(held.standing)
            if place is not None and held.begin <= NOW and (held.end is None or held.end > NOW):
                child = entities[subject_kind(held.subject), held.subject]
                child["parents"].append(uid(place, mechanism.mechanism))
    return list(entities.values())


def cedar_portion(number: int, label: Label, originator: str, *, unknown: bool) -> dict[str, Any]:
    def after(prefix: str) -> list[str]:
        return [word.removeprefix(prefix) for word in label.caveats if word.startswith(prefix)]

    personal = ["personal-data"] if "PERSONAL" in label.caveats else []
    attributes = {
        "unknown": unknown,
        "originator": entity("Agency", originator),
        "tlp": TLP_ORDER.index(label.tlp),
        "level": -1 if label.level not in EXERCISE_LEVELS else EXERCISE_LEVELS.index(label.level),
        "topic": label.topic,
        "compartments": list(label.compartments),
        "mechanisms": list(label.mechanisms),
        "asks_mechanism": bool(label.mechanisms),
        "rel": [entity(subject_kind(word), word) for word in label.rel],
        "is_released_to": bool(label.rel),
        "exclude": [entity(subject_kind(word, excluding=True), word) for word in label.exclude],
        "caveats": list(label.caveats),
        "residency": after("RESIDENCY:"),
        "named": [entity("Agency", word) for word in after("NAMED:")],
        "purposes": after("LEAD-ONLY:") + personal,
        "affected": list(label.affected),
        "precedence": PRECEDENCE_ORDER.index(label.precedence),
        "embargoed": label.not_before is not None and label.not_before > NOW,
    }
    return {"uid": uid("Portion", str(number)), "attrs": attributes, "parents": []}


def ranked(attribute: str, value: str, order: tuple[str, ...]) -> str:
    if value.startswith(">="):
        return f"resource.{attribute} >= {order.index(value[2:])}"
    return f"resource.{attribute} == {order.index(value)}"


def cedar_value(name: str, value: str) -> str:  # noqa: PLR0911 - one case for each predicate
    """Write one value of a predicate as a Cedar expression."""
    match name:
        case "topic" if value.endswith(".*"):
            return f'resource.topic like "{value}" || resource.topic == "{value[:-2]}"'
        case "topic":
            return f'resource.topic == "{value}"'
        case "role" | "kind":
            return f'principal.{name} == "{value}"'
        case "state" if value == "affected":
            return "principal has state && resource.affected.contains(principal.state)"
        case "state" if value == "originator":
            return (
                "principal has state && resource.originator has state && principal.state == resource.originator.state"
            )
        case "state":
            return f'principal has state && principal.state == "{value}"'
        case "originator" if value == "affected":
            return OF_AN_AFFECTED_STATE
        case "originator" if value == "unaffected":
            return f"!({OF_AN_AFFECTED_STATE})"
        case "originator":
            return f'resource.originator has state && resource.originator.state == "{value}"'
        case "mechanism":
            return full_member(value)
        case "caveat" | "affected":
            return f'resource.{"caveats" if name == "caveat" else name}.contains("{value}")'
        case _:
            order = {"tlp": TLP_ORDER, "level": EXERCISE_LEVELS, "precedence": PRECEDENCE_ORDER}[name]
            return ranked(name, value, order)


def cedar_rule(rule: Rule) -> str:
    tests = [
        " || ".join(f"({cedar_value(predicate.name, value)})" for value in predicate.values)
        for predicate in rule.predicates
    ]
    condition = " && ".join(f"({test})" for test in tests)
    names_staff = any("staff" in predicate.values for predicate in rule.predicates if predicate.name == "kind")
    if rule.effect == "permit" and not names_staff:
        condition += ' && principal.kind != "staff"'
    own = " unless { principal == resource.originator }" if rule.effect == "forbid" else ""
    return f"{rule.effect} (principal, action, resource) when {{ {condition} }}{own};\n"


def some(chance: random.Random, pool: tuple[str, ...], *, most: int) -> tuple[str, ...]:
    return tuple(sorted(chance.sample(pool, chance.randint(0, most))))


def mostly(chance: random.Random, usual: Any, *others: Any) -> Any:
    return chance.choice(others) if chance.random() < 0.2 else usual


def draw_agency(chance: random.Random, agency: str) -> Agency:
    prefix = agency[:3].upper()
    kind: Any = {"rb-": "body", "dp-": "partner", "in-": "industry", "ex-": "staff"}.get(agency[:3], "member")
    states = {"member": prefix, "partner": "SGP", "industry": chance.choice(STATES)}
    return Agency(
        agency=agency,
        name=agency,
        state=states.get(kind),
        role=agency.split("-")[1] if kind == "member" else chance.choice(ROLES),
        kind=kind,
        clearance=mostly(chance, "EX-SECRET", *EXERCISE_LEVELS),
        compartments=mostly(chance, COMPARTMENTS, (), ("alpha",), ("beta",)),
        purposes=mostly(chance, PURPOSES, (), ("fiu",)),
        client_of=some(chance, IDS[:6], most=3),
        status=chance.choice(("suspended", "revoked")) if chance.random() < 0.05 else "active",
        keys=(
            KEY if chance.random() > 0.05 else chance.choice((KEY._replace(expires=NOW), KEY._replace(revoked=NOW))),
        ),
    )


def draw_rule(chance: random.Random, name: str) -> Rule:
    effect: Any = mostly(chance, "permit", "forbid")
    # A rule that forbids needs more predicates than one that permits, or nothing is left to compare.
    count = chance.randint(1, 2) if effect == "permit" else chance.randint(2, 3)
    names: list[Any] = chance.sample(tuple(VALUES), count)
    return Rule(
        name,
        effect,
        tuple(Predicate(each, tuple(chance.sample(VALUES[each], min(2, len(VALUES[each]))))) for each in names),
    )


def draw_bundle(chance: random.Random) -> Bundle:
    def membership() -> Membership:
        end = mostly(chance, None, NOW, NOW + 1)
        standing: Any = chance.choice(("member", "member", "observer", "reciprocal", "contributor", "contributor"))
        return Membership(chance.choice(SUBJECTS), standing, mostly(chance, 0, NOW, NOW + 1), end)

    return Bundle(
        v=1,
        version=1,
        issued=0,
        expires=2 * NOW,
        levels=EXERCISE_LEVELS,
        compartments=COMPARTMENTS,
        groups=tuple(Group(group, some(chance, (*IDS, *STATES), most=6)) for group in GROUPS),
        mechanisms=tuple(Mechanism(name, name, tuple(membership() for _ in range(6))) for name in MECHANISMS),
        agencies=tuple(draw_agency(chance, agency) for agency in IDS),
        routers=(RouterKey("router", KEY),),
        rules=tuple(draw_rule(chance, f"R{number}") for number in range(chance.randint(2, 6))),
        marks=(),
    )


def draw_label(chance: random.Random) -> tuple[Label, bool]:
    """Draw a label, and tell whether it has a word that the community does not know."""
    label = Label(
        tlp=chance.choice(TLP_ORDER),
        level=chance.choice(EXERCISE_LEVELS),
        topic=chance.choice(TOPICS),
        compartments=mostly(chance, (), ("alpha",), COMPARTMENTS),
        mechanisms=mostly(chance, (), ("msp",), ("our-eyes",), ("msp", "reg-cert")),
        rel=mostly(chance, (), *(some(chance, SUBJECTS, most=8) for _ in range(3)), ("@east",), ("MYS", "SGP")),
        exclude=mostly(chance, (), *(some(chance, SUBJECTS, most=2) for _ in range(2)), ("SGP",)),
        caveats=mostly(chance, (), ("ORCON",), ("ORCON",), *(some(chance, CAVEATS, most=2) for _ in range(4))),
        affected=some(chance, STATES, most=2),
        precedence=chance.choice(PRECEDENCE_ORDER),
        not_before=mostly(chance, None, NOW, NOW + 1),
    )
    if label.tlp == "RED":
        label = label._replace(rel=tuple(sorted(chance.sample(SUBJECTS, 8))))
    if chance.random() < 0.03:
        return label._replace(**chance.choice(UNKNOWN)), True
    return label, False


@pytest.mark.parametrize("seed", range(24))
def test_cedar_decides_as_we_do(seed: int) -> None:
    """Two engines that share no code and no data structure agree on every agency, for both ways of handing on."""
    chance = random.Random(seed)  # noqa: S311 - the seed names the cases; nothing here is secret
    bundle = draw_bundle(chance)
    community = Community.compile(bundle)
    entities = cedar_entities(bundle)
    requests: list[dict[str, Any]] = []
    ours: list[bool] = []
    for number in range(24):
        label, unknown = draw_label(chance)
        originator = chance.choice(IDS)
        entities.append(cedar_portion(number, label, originator, unknown=unknown))
        via = mostly(chance, chance.choice(IDS[:6]), None, originator)
        granted, original = some(chance, IDS, most=12), some(chance, IDS, most=12)
        # Beside the grants that hold: one for another portion, and one that has just ended.
        grants = (
            *(Grant(HID, 6, originator, reader, 0, NOW + 1) for reader in granted),
            Grant(HID, 1, originator, "mys-cert", 0, NOW + 1),
            Grant(HID, 2, originator, "mys-mar", 0, NOW),
        )
        expires_ms = mostly(chance, None, NOW - 1, NOW)
        mask = audience_mask(label, originator=originator, at_ms=NOW, community=community)
        for action, recipient in product(Action, IDS):
            verdict = decide(
                label,
                originator=originator,
                recipient=recipient,
                action=action,
                at_ms=NOW,
                community=community,
                expires_ms=expires_ms,
                via=via,
                hid=HID,
                bit=1,
                original_audience=frozenset(original),
                grants=grants,
            )
            context: dict[str, Any] = {
                "lapsed": expires_ms is not None and expires_ms < NOW,
                "granted": [entity("Agency", each) for each in granted],
                "original_audience": [entity("Agency", each) for each in original],
            }
            if via is not None:
                context["via"] = entity("Agency", via)
            requests.append(
                {
                    "principal": uid("Agency", recipient),
                    "action": uid("Action", action.value),
                    "resource": uid("Portion", str(number)),
                    "context": context,
                }
            )
            ours.append(verdict.permit)
            if action is Action.RELEASE and expires_ms is None:
                assert verdict.permit == bool(mask & community.bit(recipient))

    answers = cedarpy.is_authorized_batch(requests, BUILT_IN + "".join(map(cedar_rule, bundle.rules)), entities)

    assert not [answer.diagnostics.errors for answer in answers if answer.diagnostics.errors]
    for request, answer, permit in zip(requests, answers, ours, strict=True):
        assert answer.allowed == permit, request
    assert 20 < sum(ours) < len(ours) - 20
