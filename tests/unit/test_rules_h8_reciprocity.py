"""H8: only contributors may read a shared pool. The decision, what puts a contribution on record, and the router."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from broker.router import BundleSigned
from conformance import world
from policy.amendment import Amendment, amend
from policy.audience import audience_mask
from policy.community import Community
from policy.enquiry import Enquiry
from policy.explain import nearest_change
from policy.verdict import Verdict
from scenarios.community_changes import communities_of
from scenarios.enrolment import enrol
from scenarios.pack import load_pack
from schemas.bundle import Bundle, Mechanism, Membership, Predicate, Rule
from schemas.errors import InputError
from schemas.label import Label
from sealing.entropy import SystemEntropy
from sealing.statements import sign_bundle
from tests.samples.command_line import HARBOUR_WATCH
from tests.samples.small_router import SmallRouter

POOL: Final[Label] = world.LABEL._replace(mechanisms=("sea-pool",))
NOW, DAY_MS = world.NOW, world.DAY_MS


def ask(recipient: str, label: Label = POOL, *, bundle: Bundle = world.BUNDLE, at_ms: int = NOW) -> Verdict:
    """Ask for a release by alpha, which keeps no reciprocal terms itself."""
    enquiry = Enquiry(label=label, originator="alpha", recipient=recipient, at_ms=at_ms)
    return enquiry.decide(Community.compile(bundle))


def with_pool(*memberships: Membership, rules: tuple[Rule, ...] = world.RULES) -> Bundle:
    pool = Mechanism("sea-pool", "Sea Pool", memberships)
    return world.BUNDLE._replace(mechanisms=(world.BUNDLE.mechanisms[0], pool), rules=rules)


def test_h8_who_has_contributed_reads_the_pool() -> None:
    verdict = ask("charlie")

    assert verdict.permit
    assert ("NTK-RECIPROCITY", True, "H8") in [(item.rule, item.passed, item.cites) for item in verdict.reasons]


def test_h8_a_member_that_contributes_nothing_does_not_read_the_pool() -> None:
    silent = with_pool(Membership("SGP", "reciprocal", 0), Membership("charlie", "contributor", 0))

    assert "NTK-RECIPROCITY" == ask("bravo", bundle=silent).rule


def test_h8_a_contribution_counts_until_its_date_and_not_at_it() -> None:
    assert ask("bravo", at_ms=NOW - 1).permit
    assert "NTK-RECIPROCITY" == ask("bravo", at_ms=NOW).rule


def test_h8_a_contribution_to_another_pool_does_not_count() -> None:
    other = Mechanism("other", "Another pool", (Membership("bravo", "contributor", 0),))
    bundle = world.BUNDLE._replace(mechanisms=(*world.BUNDLE.mechanisms, other))

    assert "NTK-RECIPROCITY" == ask("bravo", bundle=bundle).rule


def test_h8_a_pool_to_which_nobody_is_on_record_as_a_contributor_is_open_to_nobody() -> None:
    """A list that ran empty must not read as "no contribution is asked for"."""
    forgotten = with_pool(Membership("IDN", "reciprocal", 0), Membership("SGP", "reciprocal", 0))

    assert ["NTK-RECIPROCITY"] * 2 == [ask(agency, bundle=forgotten).rule for agency in ("bravo", "charlie")]


def test_h8_who_only_contributes_is_no_member_and_who_keeps_the_pool_owes_nothing() -> None:
    bundle = with_pool(Membership("charlie", "contributor", 0), Membership("golf", "member", 0))

    assert "NTK-MECHANISM" == ask("charlie", bundle=bundle).rule
    assert ask("golf", bundle=bundle).permit


def test_h8_a_state_contributes_by_any_of_its_agencies_where_the_state_is_on_record() -> None:
    bundle = with_pool(Membership("bravo", "reciprocal", 0), Membership("SGP", "contributor", 0))

    assert ask("bravo", bundle=bundle).permit


def test_h8_a_rule_that_asks_for_the_pool_asks_for_a_contribution() -> None:
    """A planner may write the agreement into the rule, and not into the label."""
    by_rule = Rule("pool", "permit", (Predicate("topic", ("toc.*",)), Predicate("mechanism", ("sea-pool",))))
    bundle = with_pool(*world.SEA_POOL, rules=(by_rule,))

    assert ask("charlie", world.LABEL, bundle=bundle).permit
    assert "NTK-PERMIT" == ask("bravo", world.LABEL, bundle=bundle).rule


def test_h8_another_agreement_of_the_label_opens_it_all_the_same() -> None:
    bundle = with_pool(*world.SEA_POOL)._replace(
        mechanisms=(
            *with_pool(*world.SEA_POOL).mechanisms,
            Mechanism("msp", "Patrol", (Membership("SGP", "member", 0),)),
        )
    )
    both = POOL._replace(mechanisms=("msp", "sea-pool"))

    assert ask("bravo", both, bundle=bundle).permit


def test_h8_the_nearest_change_is_to_contribute_and_it_does_open_the_pool() -> None:
    enquiry = Enquiry(label=POOL, originator="alpha", recipient="bravo", at_ms=NOW)
    community = Community.compile(world.BUNDLE)
    change = nearest_change(enquiry, enquiry.decide(community), community)

    assert change is not None
    assert "have bravo contribute to sea-pool, and put that on record" == change.text
    assert 0 == change.others


def test_h8_authorities_put_a_contribution_on_record_from_their_version_on_and_for_a_time() -> None:
    credit = Amendment(step="credit", who="bravo", mechanism="sea-pool", at_ms=NOW + 2 * DAY_MS)
    community = Community.compile(amend(world.BUNDLE, [credit], at_ms=NOW + DAY_MS))
    read = [
        bool(audience_mask(POOL, originator="alpha", at_ms=at_ms, community=community) & community.bit("bravo"))
        for at_ms in (NOW, NOW + DAY_MS, NOW + 2 * DAY_MS - 1, NOW + 2 * DAY_MS)
    ]

    assert [False, True, True, False] == read


@pytest.mark.parametrize(
    ("until", "said"), [(None, "no date to come"), (NOW, "no date to come"), (NOW + DAY_MS // 2, "already")]
)
def test_h8_a_contribution_that_counts_for_ever_or_is_counted_already_is_refused(until: int | None, said: str) -> None:
    credit = Amendment(step="credit", who="charlie", mechanism="sea-pool", at_ms=until)

    with pytest.raises(InputError, match=said):
        amend(world.BUNDLE, [credit], at_ms=NOW)


def test_h8_who_leaves_and_comes_back_on_reciprocal_terms_has_to_contribute_anew() -> None:
    left = amend(world.BUNDLE, [Amendment(step="leave", who="charlie", mechanism="sea-pool")], at_ms=NOW)
    back = amend(left, [Amendment(step="reciprocate", who="charlie", mechanism="sea-pool")], at_ms=NOW + 1)
    later = amend(back, [Amendment(step="join", who="charlie", mechanism="sea-pool")], at_ms=NOW + 2)

    assert "NTK-RECIPROCITY" == ask("charlie", bundle=back, at_ms=NOW + 1).rule
    assert ask("charlie", bundle=later, at_ms=NOW + 2).permit


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SmallRouter]:
    made = SmallRouter(tmp_path)
    yield made
    made.close()


def test_h8_the_router_gives_the_pool_to_who_contributes_and_to_nobody_else(router: SmallRouter) -> None:
    _, to_both = router.report("to both", "bravo", "charlie", label=POOL)
    _, to_contributor = router.report("to one", "charlie", label=POOL)
    credit = Amendment(step="credit", who="bravo", mechanism="sea-pool", at_ms=NOW + DAY_MS)
    bundle = amend(router.core.bundle, [credit], at_ms=NOW)
    router.core.install(bundle)
    signed = sign_bundle(bundle, {name: world.sign_pair(name) for name in ("north", "south")})
    router.router.handle([BundleSigned(version=bundle.version, signed=signed)], now_ms=NOW)
    _, after_credit = router.report("to the new contributor", "bravo", label=POOL)

    assert [["AUDIENCE"], ["accepted"], ["accepted"]] == [
        [word for _, word, _ in outcome.decided] for outcome in (to_both, to_contributor, after_credit)
    ]
    assert (1, 1) == (router.queued("bravo"), router.queued("charlie"))


def test_h8_a_pack_has_a_reciprocal_pool_and_puts_a_contribution_on_record_in_mid_play(tmp_path: Path) -> None:
    path = tmp_path / "pooling.yaml"
    text = HARBOUR_WATCH.read_text(encoding="utf-8").replace(
        "mechanisms:\n",
        "mechanisms:\n  pool: {title: Statistics, members: [rb-ifc], reciprocal: [MYS, IDN],"
        " contributors: [{who: MYS, from: 2027-01-01, until: 2027-06-01}]}\n",
    )
    change = "{id: C1, at: T+01:00, credit: {mechanism: pool, who: [idn-mar], until: T+01:30}, why: Its figures came}"
    path.write_text(f"{text}changes:\n  - {change}\n", encoding="utf-8")
    pack = load_pack(path)
    communities = communities_of(pack, enrol(pack, entropy=SystemEntropy()).bundle)

    def readers(minutes: int) -> set[str]:
        at_ms = pack.start_ms + minutes * 60_000
        community = communities.at(at_ms)
        return set(community.ids(community.full_members("pool", at_ms)))

    assert [{"mys-mar", "rb-ifc"}, {"idn-mar", "mys-mar", "rb-ifc"}, {"mys-mar", "rb-ifc"}] == [
        readers(minutes) for minutes in (59, 60, 90)
    ]
