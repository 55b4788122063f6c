"""Why the banner of a product is what it is."""

from policy.community import Community
from policy.rollup import roll_up
from policy.rollup_reasons import explain_roll_up
from schemas.bundle import Agency, Bundle, Mechanism, Membership, Predicate, RouterKey, Rule, SignKey
from schemas.label import EXERCISE_LEVELS, Label

KEY = SignKey(b"k" * 32, 0, 2_000)
COMMUNITY = Community.compile(
    Bundle(
        v=1, version=1, issued=0, expires=2_000, levels=EXERCISE_LEVELS, compartments=("alpha", "beta"), groups=(),
        mechanisms=(Mechanism("msp", "Patrol", (Membership("MYS", "member", 0),)),
                    Mechanism("our-eyes", "Eyes", (Membership("MYS", "member", 0),))),
        agencies=tuple(
            Agency(name, name, name[:3].upper(), "mar", "member", "EX-SECRET", (), (), (), "active", (KEY,))
            for name in ("mys-mar", "sgp-mar", "idn-mar")
        ),
        routers=(RouterKey("router", KEY),), rules=(Rule("N1", "permit", (Predicate("topic", ("toc.*",)),)),), marks=(),
    )
)  # fmt: skip
PLAIN = Label("GREEN", "EX-UNCLAS", "toc.piracy")


def reasons(*labels: Label) -> list[str]:
    whole, lines = explain_roll_up(labels, COMMUNITY)
    assert roll_up(labels, COMMUNITY) == whole
    return list(lines)


def test_the_strictest_parts_are_named_by_number() -> None:
    strict = PLAIN._replace(tlp="AMBER", level="EX-SECRET")

    assert [
        "TLP:AMBER is the strictest: portions 2 and 3",
        "EX-SECRET is the highest level: portions 2 and 3",
    ] == reasons(PLAIN, strict, strict)


def test_each_word_that_is_added_up_is_traced_to_its_parts() -> None:
    lines = reasons(
        PLAIN._replace(caveats=("ORCON",)), PLAIN._replace(compartments=("alpha",), exclude=("SGP",)), PLAIN
    )  # fmt: skip

    assert {"the caveat ORCON: portion 1", "the compartment alpha: portion 2", "not to SGP: portion 2"} <= set(lines)


def test_what_is_cut_down_says_who_has_it_in_common() -> None:
    lines = reasons(PLAIN._replace(rel=("MYS", "SGP")), PLAIN._replace(rel=("IDN", "SGP")), PLAIN)
    assert "REL TO sgp-mar: what is common to portions 1 and 2" in lines
    assert "REL TO MYS: portion 1" in reasons(PLAIN._replace(rel=("MYS",)), PLAIN)


def test_parts_without_a_common_reader_or_agreement_are_for_nobody() -> None:
    for parts in (
        (PLAIN._replace(rel=("MYS",)), PLAIN._replace(rel=("SGP",))),
        (PLAIN._replace(mechanisms=("msp",)), PLAIN._replace(mechanisms=("our-eyes",))),
    ):
        lines = reasons(*parts)
        assert "the caveat NOBODY: the parts have no reader or no agreement in common" in lines


def test_different_topics_are_told() -> None:
    assert "the topic toc is what all topics begin with" in reasons(PLAIN, PLAIN._replace(topic="toc.scam"))
