"""A planner hears of rules by which marking a report up would spread it."""

from typing import Any

import pytest

from policy.widening import widening_rules
from schemas.bundle import Agency, Bundle, Predicate, RouterKey, Rule, SignKey

KEY = SignKey(b"k" * 32, 0, 1_000)
BUNDLE = Bundle(
    v=1,
    version=1,
    issued=0,
    expires=1_000,
    levels=("LOW", "MIDDLE", "HIGH"),
    compartments=(),
    groups=(),
    mechanisms=(),
    agencies=(Agency("mys-mar", "Mar", "MYS", "mar", "member", "LOW", (), (), (), "active", (KEY,)),),
    routers=(RouterKey("router", KEY),),
    rules=(),
    marks=(),
)


def found(effect: Any, name: Any, *values: str) -> list[str]:
    rules = (Rule("R1", effect, (Predicate("role", ("mar",)), Predicate(name, values))),)
    return [text for _rule, text in widening_rules(BUNDLE._replace(rules=rules))]


@pytest.mark.parametrize(
    ("effect", "name", "values"),
    [
        ("permit", "tlp", ("CLEAR", "GREEN")),
        ("permit", "tlp", (">=CLEAR",)),
        ("forbid", "tlp", (">=AMBER",)),
        ("forbid", "tlp", ("RED",)),
        ("permit", "level", ("MIDDLE", "LOW")),
        ("forbid", "level", ("HIGH",)),
        ("forbid", "caveat", ("ORCON",)),
        ("permit", "topic", ("cyber",)),
        ("permit", "precedence", ("FLASH",)),
    ],
)
def test_a_rule_that_stops_short_of_the_strict_is_sound(effect: str, name: str, values: tuple[str, ...]) -> None:
    assert found(effect, name, *values) == []


@pytest.mark.parametrize(
    ("effect", "name", "values", "text"),
    [
        ("permit", "tlp", ("RED",), "permits tlp RED and not all that is lower"),
        ("permit", "tlp", ("CLEAR", "AMBER"), "permits tlp CLEAR or AMBER and not all that is lower"),
        ("forbid", "tlp", ("CLEAR",), "forbids tlp CLEAR and not all that is higher"),
        ("forbid", "level", ("LOW", "HIGH"), "forbids level LOW or HIGH and not all that is higher"),
        ("permit", "level", (">=MIDDLE",), "permits level >=MIDDLE and not all that is lower"),
        ("permit", "caveat", ("ORCON",), "permits only what bears a caveat, so that adding the caveat opens it"),
    ],
)
def test_a_rule_that_opens_to_the_strict_is_named(effect: str, name: str, values: tuple[str, ...], text: str) -> None:
    assert found(effect, name, *values) == [text]


def test_the_rules_come_in_the_order_of_their_ids() -> None:
    rules = tuple(Rule(name, "permit", (Predicate("tlp", ("RED",)),)) for name in ("R2", "R1"))

    assert [each.rule for each in widening_rules(BUNDLE._replace(rules=rules))] == ["R1", "R2"]
