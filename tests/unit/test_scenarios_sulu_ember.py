"""The shipped exercise SULU EMBER: whole, free of findings, and under the rules that its dilemmas rest on."""

import re
from pathlib import Path

import pytest

from agencies.tearline import slips
from policy.community import Community
from policy.decide import decide
from policy.rollup import roll_up
from policy.verdict import Action, Verdict
from scenarios.catalogue import find_pack
from scenarios.lint import lint_path
from scenarios.model import Inject, Order, Pack
from scenarios.pack import load_pack
from scenarios.placeholder_community import compile_community
from schemas.label import Label
from schemas.workflow import Grant

MINUTE = 60_000
HID = b"h" * 32


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(find_pack("sulu-ember"))


@pytest.fixture(scope="module")
def community(pack: Pack) -> Community:
    return compile_community(pack)


def asked(pack: Pack, community: Community, label: Label, hop: tuple[str, ...], *, granted: bool = False) -> Verdict:
    """Ask for a hop from its originator to a reader, or by way of somebody between; with the originator's grant?"""
    originator, reader, via = hop[0], hop[-1], hop[1] if len(hop) > 2 else None
    grants = (Grant(HID, 1, originator, reader, 0, 2 * pack.start_ms),) if granted else ()
    return decide(
        label, originator=originator, recipient=reader, action=Action.ONWARD if via else Action.RELEASE, via=via,
        at_ms=pack.start_ms, community=community, hid=HID, bit=0, grants=grants,
    )  # fmt: skip


def inject_of(pack: Pack, name: str) -> Inject:
    return next(inject for inject in pack.injects if inject.inject == name)


def order_of(pack: Pack, name: str) -> Order:
    return next(order for order in pack.orders if order.order == name)


def test_the_pack_has_no_finding_of_any_kind() -> None:
    assert () == lint_path(find_pack("sulu-ember"))


def test_everybody_of_the_scenario_takes_part(pack: Pack) -> None:
    assert {
        "phl-di", "idn-di", "mys-di", "brn-di", "sgp-di", "khm-di", "phl-pol", "idn-pol", "mys-pol", "phl-bor",
        "rb-oureyes", "rb-tca", "rb-interpol", "in-ferry",
    } == {participant.agency for participant in pack.participants}  # fmt: skip


@pytest.mark.parametrize(
    ("inject", "minutes", "to"),
    [
        ("E01", 0, "idn-di"), ("E02", 45, "phl-di"), ("E03", 80, "mys-pol"), ("E04", 120, "sgp-di"),
        ("E06", 180, "rb-tca"), ("E09", 210, "khm-di"), ("E13", 300, "phl-di"), ("E17", 420, "mys-pol"),
    ],
)  # fmt: skip
def test_the_injects_come_at_the_times_of_the_scenario(inject: str, minutes: int, to: str, pack: Pack) -> None:
    found = inject_of(pack, inject)

    assert (minutes * MINUTE, (to,)) == (found.time_ms, found.to)


def test_the_first_two_reports_have_the_readers_of_the_scenario(pack: Pack, community: Community) -> None:
    """ORCON and REL TO IDN MYS PHL for the recruiter; EX-SECRET for the camp, with the command centre among them."""
    recruiter, method = (portion.label for portion in inject_of(pack, "E01").material)
    camp, watch = (portion.label for portion in inject_of(pack, "E02").material)

    assert (("IDN", "MYS", "PHL"), ("ORCON",)) == (recruiter.rel, recruiter.caveats)
    assert ("EX-SECRET", "EX-SECRET") == (camp.level, watch.level)
    for reader in ("mys-di", "phl-di"):
        assert asked(pack, community, recruiter, ("idn-di", reader)).permit
    for reader in ("sgp-di", "brn-di", "rb-tca", "khm-di"):
        assert "NTK-REL" == asked(pack, community, recruiter, ("idn-di", reader)).rule
    assert asked(pack, community, camp, ("phl-di", "rb-tca")).permit
    assert not asked(pack, community, watch, ("phl-di", "rb-tca")).permit
    assert not asked(pack, community, method, ("idn-di", "rb-tca")).permit


def test_h3_the_assessment_goes_where_both_lists_agree(pack: Pack, community: Community) -> None:
    """H3: combining is intersection; brn-di and rb-tca may have one half and not the whole."""
    method, camp = inject_of(pack, "E01").material[1].label, inject_of(pack, "E02").material[0].label
    product = roll_up([method, camp, inject_of(pack, "E04").material[0].label], community)
    readers = [
        who.agency for who in pack.participants if asked(pack, community, product, ("sgp-di", who.agency)).permit
    ]

    assert ["idn-di", "phl-di", "mys-di", "sgp-di"] == readers
    for reader in ("brn-di", "rb-tca"):
        assert asked(pack, community, camp, ("phl-di", reader)).permit
        assert "NTK-REL" == asked(pack, community, product, ("sgp-di", reader)).rule


def test_h2_both_originators_are_to_be_asked_and_their_consent_widens_no_list(pack: Pack, community: Community) -> None:
    """H1, H2: one half is under ORCON, the other under TLP:AMBER; both need a grant, and a grant opens nothing else."""
    recruiter, method = (portion.label for portion in inject_of(pack, "E01").material)
    camp = inject_of(pack, "E02").material[0].label

    assert ("NTK-TLP", "NTK-TLP") == tuple(
        asked(pack, community, label, (whose, "sgp-di", "mys-di")).rule
        for label, whose in ((method, "idn-di"), (camp, "phl-di"))
    )
    assert asked(pack, community, method, ("idn-di", "sgp-di", "mys-di"), granted=True).permit
    assert asked(pack, community, camp, ("phl-di", "sgp-di", "mys-di"), granted=True).permit
    for reader, rule in (("sgp-di", "NTK-REL"), ("phl-pol", "R09"), ("khm-di", "NTK-REL")):
        verdict = asked(pack, community, recruiter, ("idn-di", "mys-di", reader), granted=True)
        assert (False, rule) == (verdict.permit, verdict.rule)


def test_the_wall_keeps_military_matters_from_police_whoever_is_cleared(pack: Pack, community: Community) -> None:
    draft = inject_of(pack, "E06").material[0].label
    camp = inject_of(pack, "E02").material[0].label

    assert "R09" == asked(pack, community, draft, ("rb-tca", "rb-interpol")).rule
    assert "R09" == asked(pack, community, camp, ("phl-di", "phl-pol")).rule
    assert asked(pack, community, inject_of(pack, "E07").material[0].label, ("phl-pol", "rb-interpol")).permit


def test_an_observer_receives_no_restricted_product(pack: Pack, community: Community) -> None:
    trend = pack.labels["trend"]

    assert asked(pack, community, trend, ("rb-oureyes", "brn-di")).permit
    assert "NTK-MECHANISM" == asked(pack, community, trend, ("rb-oureyes", "khm-di")).rule
    assert asked(pack, community, pack.labels["courtesy"], ("mys-pol", "khm-di")).permit


def test_h15_the_refusal_conceals_and_names_nothing(pack: Pack) -> None:
    """H15: a refusal may have to hide that the item exists."""
    refusal, request = order_of(pack, "D03"), order_of(pack, "Q05")

    assert ("refuse", True) == (refusal.outcome, refusal.conceals)
    assert "any assessment that you may hold" in request.subject.casefold()
    assert not any(order.conceals for order in pack.orders if order.order != "D03")


def test_h15_what_is_granted_cannot_be_concealed(tmp_path: Path) -> None:
    """H15: the loader refuses a grant that claims to hide what it gives."""
    for path in find_pack("sulu-ember").rglob("*.*"):
        target = tmp_path / path.relative_to(find_pack("sulu-ember"))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    orders = tmp_path / "orders.yaml"
    orders.write_text(orders.read_text(encoding="utf-8").replace("outcome: refuse\n", "outcome: grant\n"), "utf-8")

    assert ["idle-field"] == [finding.code for finding in lint_path(tmp_path) if finding.level == "error"]


def test_h5_the_tear_line_stands_alone(pack: Pack) -> None:
    """H5: neither a sign of the source nor anything that the linter would stop shows below the line."""
    source, warning = inject_of(pack, "E13").material
    signs = next(fact for fact in pack.facts if fact.fact == "F10").signs

    assert ("attack-source", "warning") == (source.label_name, warning.label_name)
    assert not [
        sign
        for sign in (*signs, "aunt", "daughter", "fish", "stall")
        if re.search(rf"\b{sign}", warning.content.text.casefold())
    ]
    # The heading in capitals says "HANDLE IN".
    assert () == slips([source.content], warning.content, allowed=["in"])


def test_the_slip_is_worked_by_a_desk_that_drops_nothing(pack: Pack) -> None:
    slip = order_of(pack, "S08")
    seats = {who.agency: who.bot for who in pack.participants}
    skills = {bot.bot: bot.sanitising for bot in pack.bots}

    assert "HUMAN SLIP (must-not X2)" in pack.header.notes
    assert ("phl-pol", 0.0) == (slip.who, skills[seats[slip.who]])
    assert "F4" not in slip.keep
    assert {1.0} == {skills[bot] for agency, bot in seats.items() if agency != slip.who}
