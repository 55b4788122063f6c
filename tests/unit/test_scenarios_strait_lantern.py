"""The shipped exercise STRAIT LANTERN: whole, free of errors, and wrong only where its notes say so."""

import re

import pytest

from policy.community import Community
from policy.decide import decide
from policy.verdict import Action
from scenarios.catalogue import find_pack
from scenarios.lint import lint_path
from scenarios.model import Inject, Order, Pack
from scenarios.pack import load_pack
from scenarios.placeholder_community import compile_community
from schemas.label import Label

MINUTE = 60_000


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(find_pack("strait-lantern"))


@pytest.fixture(scope="module")
def community(pack: Pack) -> Community:
    return compile_community(pack)


def may_have(
    label: Label, originator: str, recipient: str, pack: Pack, community: Community, *, via: str | None = None
) -> bool:
    return decide(
        label,
        originator=originator,
        recipient=recipient,
        action=Action.ONWARD if via else Action.RELEASE,
        via=via,
        at_ms=pack.start_ms,
        community=community,
    ).permit


def inject_of(pack: Pack, name: str) -> Inject:
    return next(inject for inject in pack.injects if inject.inject == name)


def order_of(pack: Pack, name: str) -> Order:
    return next(order for order in pack.orders if order.order == name)


def test_the_only_finding_is_the_deliberate_rule_gap(pack: Pack) -> None:
    """A planner who copies the pack must be able to trust that every other finding is new."""
    (finding,) = lint_path(pack.path)

    assert ("warning", "rule-gap") == (finding.level, finding.code)
    assert "tha-mar needs F6" in finding.text
    assert "RULE GAP (need N08)" in pack.header.notes
    assert "HUMAN SLIP (must-not X2)" in pack.header.notes


def test_everybody_of_the_scenario_takes_part(pack: Pack) -> None:
    assert {
        "sgp-mar", "mys-mar", "idn-mar", "tha-mar", "sgp-di", "mys-di",
        "rb-ifc", "rb-recaap", "rb-msp", "in-ship", "dp-jpn-mar",
    } == {participant.agency for participant in pack.participants}  # fmt: skip


@pytest.mark.parametrize(
    ("inject", "minutes", "to"),
    [
        ("E01", 0, "in-ship"), ("E02", 20, "sgp-mar"), ("E04", 45, "mys-di"), ("E06", 90, "rb-recaap"),
        ("E09", 130, "rb-msp"), ("E11", 180, "tha-mar"), ("E14", 280, "in-ship"), ("E17", 330, "in-ship"),
    ],
)  # fmt: skip
def test_the_injects_come_at_the_times_of_the_scenario(inject: str, minutes: int, to: str, pack: Pack) -> None:
    found = inject_of(pack, inject)

    assert (minutes * MINUTE, (to,)) == (found.time_ms, found.to)


def test_the_numbers_of_the_ship_belong_to_no_ship(pack: Pack) -> None:
    """An IMO number whose check digit fails cannot be anybody's; no MMSI begins with 999."""
    indicators = {item.kind: item.value for item in inject_of(pack, "E01").material[0].content.indicators}
    imo = indicators["imo-number"]

    assert int(imo[6]) != sum(int(digit) * weight for digit, weight in zip(imo, range(7, 1, -1), strict=False)) % 10
    assert indicators["mmsi"].startswith("999")


def test_the_tear_line_stands_alone(pack: Pack) -> None:
    """H5: nothing of what stands above the line shows below it."""
    source, tear_line = inject_of(pack, "E04").material
    below = tear_line.content.text.casefold()
    above = next(fact for fact in pack.facts if fact.fact == "F7")

    assert ("source", "tear-line") == (source.label_name, tear_line.label_name)
    assert not [sign for sign in (*above.signs, "fuel", "seller", "jetty", "drums") if re.search(rf"\b{sign}\b", below)]


def test_the_source_can_be_read_by_nobody_else(pack: Pack, community: Community) -> None:
    source = inject_of(pack, "E04").material[0].label

    assert not [who.agency for who in pack.participants if who.agency != "mys-di"
                and may_have(source, "mys-di", who.agency, pack, community)]  # fmt: skip


def test_the_track_goes_to_three_states_and_its_sensor_to_none_abroad(pack: Pack, community: Community) -> None:
    track, sensor = inject_of(pack, "E02").material
    order = order_of(pack, "S03")

    assert ("idn-mar", "mys-mar", "sgp-di") == order.to
    assert all(may_have(track.label, "sgp-mar", to, pack, community) for to in order.to)
    assert ["sgp-di"] == [to for to in order.to if may_have(sensor.label, "sgp-mar", to, pack, community)]
    assert not may_have(track.label, "sgp-mar", "tha-mar", pack, community)
    # ORCON: mys-mar holds the track and cannot hand it on, not even to a state on the list.
    assert not may_have(track.label, "sgp-mar", "idn-mar", pack, community, via="mys-mar")


def test_what_the_company_said_in_confidence_stays_with_the_centre(pack: Pack, community: Community) -> None:
    commercial = inject_of(pack, "E01").material[1].label

    assert may_have(commercial, "in-ship", "rb-ifc", pack, community)
    for to in ("dp-jpn-mar", "idn-mar", "mys-mar", "sgp-mar", "rb-recaap"):
        assert not may_have(commercial, "in-ship", to, pack, community, via="rb-ifc")


def test_the_partner_can_have_the_alert_and_nothing_else_that_an_inject_brings(
    pack: Pack, community: Community
) -> None:
    """dp-jpn-mar is a focal point: alerts reach it, whatever else is on a desk in this exercise does not."""
    allowed = {
        portion.label_name
        for inject in pack.injects
        for portion in inject.material
        for originator in inject.to
        if may_have(portion.label, originator, "dp-jpn-mar", pack, community)
    }

    assert {"alert", "alert-corrected"} == allowed


def test_consent_opens_one_finding_and_marking_keeps_the_other_shut(pack: Pack, community: Community) -> None:
    """Policy lets Malaysia give its finding to the centre, and nobody else; Indonesia's list leaves the centre out."""
    grant, refuse = order_of(pack, "S10"), order_of(pack, "S11")
    malaysia, indonesia = (inject_of(pack, name).material[0].label for name in ("E03", "E05"))

    assert ("grant", "refuse") == (grant.outcome, refuse.outcome)
    assert (grant.grants, bool(grant.conditions)) == ("S04", True)
    assert may_have(malaysia, "mys-mar", "rb-recaap", pack, community)
    assert not may_have(malaysia, "mys-mar", "rb-recaap", pack, community, via="rb-ifc")
    assert not may_have(indonesia, "idn-mar", "rb-recaap", pack, community)


def test_merging_does_not_widen_release(pack: Pack, community: Community) -> None:
    merged = inject_of(pack, "E10").material[0].label
    readers = {who.agency for who in pack.participants if may_have(merged, "rb-ifc", who.agency, pack, community)}

    assert {"rb-ifc", "rb-msp", "idn-mar", "mys-mar", "sgp-mar", "mys-di", "sgp-di"} == readers


def test_what_orders_mean_to_tell_policy_permits_but_for_the_two_known_refusals(
    pack: Pack, community: Community
) -> None:
    """A standing order that policy stops in full would be a fault of the pack."""
    stopped = {
        (order.order, to)
        for order in pack.orders
        for trigger in ([order.on.trigger] if order.on.trigger else [part.trigger for part in order.on.any])
        if order.do == "report" and trigger is not None and trigger.inject is not None
        for to in order.to
        if not any(
            may_have(portion.label, order.who, to, pack, community)
            for portion in inject_of(pack, trigger.inject).material
        )
    }

    assert {("S06", "tha-mar")} == stopped


def test_each_passed_on_report_may_go_where_its_order_sends_it(pack: Pack, community: Community) -> None:
    """Forwards and corrections quote what others wrote, so that part must be open to the reader as well."""
    hops = [
        ("E01", 0, "in-ship", "rb-ifc", ("idn-mar", "mys-mar", "sgp-mar")),
        ("E01", 0, "rb-ifc", "sgp-mar", ("rb-recaap",)),
        ("E04", 1, "mys-di", "rb-ifc", ("in-ship",)),
        ("E15", 0, "in-ship", "rb-ifc", ("idn-mar", "mys-mar", "sgp-mar")),
        ("E17", 0, "in-ship", "rb-ifc", ("idn-mar", "mys-mar", "sgp-mar", "rb-msp")),
        ("E17", 0, "rb-ifc", "sgp-mar", ("rb-recaap",)),
    ]
    for inject, place, originator, via, readers in hops:
        label = inject_of(pack, inject).material[place].label
        for reader in readers:
            assert may_have(label, originator, reader, pack, community, via=via), (inject, via, reader)


def test_the_order_that_slips_is_worked_by_a_desk_that_drops_nothing(pack: Pack) -> None:
    slip = order_of(pack, "S08")
    seat = next(who for who in pack.participants if who.agency == slip.who)
    bot = next(bot for bot in pack.bots if bot.bot == seat.bot)

    assert (0.0, ("F1",), ("rb-recaap",)) == (bot.sanitising, slip.keep, slip.to)
    assert {"F2"} <= set(order_of(pack, "S02").keep)
    others = {who.bot for who in pack.participants if who.agency != slip.who}
    assert all(each.sanitising == 1.0 for each in pack.bots if each.bot in others)


def test_the_second_attempt_turns_on_the_warning(pack: Pack) -> None:
    branch = next(branch for branch in pack.branches if branch.branch == "B3")

    assert branch.when.trigger is not None
    assert ("fact_known", "in-ship", "F6") == (
        branch.when.trigger.word,
        branch.when.trigger.who,
        branch.when.trigger.fact,
    )
    assert (("E15",), ("E16",)) == (branch.then, branch.otherwise)


def test_the_correction_moves_the_place_by_six_miles_into_malaysian_waters(pack: Pack) -> None:
    before = inject_of(pack, "E01").material[0].content.places[0]
    after = inject_of(pack, "E17").material[0].content.places[0]
    north = (after.latitude_micro - before.latitude_micro) * 60 / 1e6
    east = (after.longitude_micro - before.longitude_micro) * 60 / 1e6

    assert (north**2 + east**2) ** 0.5 == pytest.approx(6.0, abs=0.1)
    assert "toc.robbery-at-sea" == inject_of(pack, "E17").material[0].label.topic


def test_every_correction_supersedes_a_report_that_was_sent_before(pack: Pack) -> None:
    corrections = [order for order in pack.orders if order.do == "correct"]

    assert ["S01", "S02", "S14", "S08", "S12"] == [order.corrects for order in corrections]


def test_the_objectives_are_four(pack: Pack) -> None:
    assert ["O1", "O2", "O3", "O4"] == [objective.objective for objective in pack.objectives]


def test_the_partner_is_kept_from_whatever_partners_may_not_have(pack: Pack) -> None:
    barred = {must_not.fact for must_not in pack.must_nots if "dp-jpn-mar" in must_not.who}

    assert {"F2", "F3", "F4", "F5", "F7", "F8", "F9", "F10"} == barred
