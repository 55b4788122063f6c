"""Where the time went: the four causes of the hand-made exercise, in minutes worked out by hand."""

import pytest

from scenarios.evaluate.delays import Step, cut
from scenarios.evaluate.denials import Denial
from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.evaluate.needs import NeedResult
from tests.samples.small_exercise import MINUTE_MS, Recorder, hid, small_community, small_pack, small_record


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(small_pack(), small_record(), small_community())


def need_of(evaluation: Evaluation, need: str, agency: str) -> NeedResult:
    return next(each for each in evaluation.certain.needs if (each.need, each.agency) == (need, agency))


@pytest.mark.parametrize(
    ("need", "agency", "hold", "rule", "link", "desk", "cause"),
    [
        ("N1", "bravo", 5, 0, 1, 0, None),
        ("N1", "charlie", 5, 0, 2, 28, "person"),  # it lay unopened
        ("N1", "delta", 5, 35, 1, 0, "rule"),
        ("N1", "echo", 10, 0, 40, 0, "link"),
        ("N2", "alpha", 30, 0, 1, 1, "person"),  # bravo held it
        ("N2", "charlie", 30, 60, 0, 0, "rule"),  # missed: cut off by ENDEX
        ("N4", "alpha", 1, 49, 0, 0, "rule"),  # refused by the router
        ("N4", "delta", 2, 0, 48, 0, "link"),  # forwarded and never arrived
    ],
)
def test_the_split_is_the_one_worked_out_by_hand(  # noqa: PLR0917 - a row of the table above
    evaluation: Evaluation, need: str, agency: str, hold: int, rule: int, link: int, desk: int, cause: str | None
) -> None:
    result = need_of(evaluation, need, agency)
    split = result.split

    assert split is not None
    assert (hold, rule, link, desk) == tuple(
        part // MINUTE_MS for part in (split.hold_ms, split.rule_ms, split.link_ms, split.desk_ms)
    )
    assert cause == result.cause


def test_nothing_is_split_where_nothing_was_due(evaluation: Evaluation) -> None:
    assert need_of(evaluation, "N3", "charlie").split is None


def test_a_split_names_the_rules_and_the_chain_of_messages(evaluation: Evaluation) -> None:
    split = need_of(evaluation, "N1", "delta").split

    assert split is not None
    assert (("NTK-REL",), (hid("M2"),)) == (split.rules, split.chain)


def test_a_chain_of_two_messages_is_followed_by_cause() -> None:
    """Alpha tells bravo at 5, bravo opens at 8 and tells charlie at 20, who opens at 23."""
    record = Recorder()
    record.note(0, "excon", "startex")
    record.inject(0, "E1", "alpha", "p1")
    record.release(5, "alpha", "M1", ["bravo"], passages=["p1"], cause="E1")
    record.arrive(6, "M1", "bravo", opened=8)
    record.release(20, "bravo", "M2", ["charlie"], passages=["p1"], cause=hid("M1"), act="forward")
    record.arrive(22, "M2", "charlie", opened=23)
    record.note(120, "excon", "endex")

    split = need_of(evaluate(small_pack(), record.events, small_community()), "N1", "charlie").split

    assert split is not None
    assert (5 + 12, 0, 1 + 2, 2 + 1) == tuple(
        part // MINUTE_MS for part in (split.hold_ms, split.rule_ms, split.link_ms, split.desk_ms)
    )
    assert (hid("M1"), hid("M2")) == split.chain


def test_a_rule_costs_only_the_time_after_it_denied() -> None:
    denial = Denial(at_ms=40, holder="a", agency="c", facts=("F",), rule="R", hid=None, how="left out")
    chain = (Step(sender="a", reader="c", hid="m", released_ms=100, read_ms=110, opened_ms=130),)

    split = cut(0, 130, chain, [denial], complete=True)

    assert (40, 60, 10, 20) == (split.hold_ms, split.rule_ms, split.link_ms, split.desk_ms)


def test_a_denial_while_the_message_is_under_way_takes_nothing_from_the_link() -> None:
    denial = Denial(at_ms=105, holder="a", agency="c", facts=("F",), rule="R", hid=None, how="left out")
    chain = (Step(sender="a", reader="c", hid="m", released_ms=100, read_ms=110, opened_ms=130),)

    split = cut(0, 130, chain, [denial], complete=True)

    assert (100, 0, 10, 20) == (split.hold_ms, split.rule_ms, split.link_ms, split.desk_ms)


def test_of_equal_parts_the_rule_is_named_before_the_link_and_people() -> None:
    """Blaming a person needs more than a tie."""
    denial = Denial(at_ms=0, holder="a", agency="c", facts=("F",), rule="R", hid=None, how="refused")
    chain = (Step(sender="a", reader="c", hid="m", released_ms=10, read_ms=20, opened_ms=30),)

    assert cut(0, 30, chain, [denial], complete=True).largest == "rule"
    assert cut(0, 30, chain, [], complete=True).largest == "link"


def test_a_reader_whose_clock_runs_behind_its_authors_still_has_a_chain() -> None:
    record = Recorder()
    record.note(0, "excon", "startex")
    record.inject(0, "E1", "alpha", "p1")
    record.release(25, "alpha", "M1", ["bravo"], passages=["p1"], cause="E1")
    record.arrive(24.9, "M1", "bravo")
    record.note(120, "excon", "endex")

    split = need_of(evaluate(small_pack(), record.events, small_community()), "N1", "bravo").split

    assert split is not None
    assert ((hid("M1"),), split.total_ms) == (split.chain, split.hold_ms)


def test_what_no_rule_would_have_allowed_is_the_rules_doing_even_if_nobody_tried() -> None:
    """Without bravo's attempt no rule cost any time, and F3 could not have been sent to charlie all the same."""
    untried = [event for event in small_record() if event.stage != "intended"]

    result = need_of(evaluate(small_pack(), untried, small_community()), "N2", "charlie")

    assert result.split is not None
    assert ("missed", "rule", 0) == (result.cell.state, result.cause, result.split.rule_ms)
