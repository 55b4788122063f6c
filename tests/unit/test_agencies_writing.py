"""How a desk writes: passages whole or not at all, the strictest label, and no place that was not passed on whole."""

from collections.abc import Sequence
from typing import Any

import pytest

from agencies.bots import StandingOrder
from agencies.conditions import Condition
from agencies.writing import Source, write_product, write_report
from conformance import world
from policy.community import Community
from schemas.errors import SealError
from schemas.label import Label
from schemas.report import Grading, Observed, Parent, Passage, Place, Portion, PortionContent

COMMUNITY = Community.compile(world.BUNDLE)
OPEN = Label("GREEN", "EX-UNCLAS", "toc.piracy")
ORDER: dict[str, Any] = {
    "order": "S1", "on": Condition(), "do": "report", "to": (), "label": None, "title": None, "keep": None,
    "corrects": None, "subject": "", "answer_within_ms": 0, "outcome": None, "conditions": "", "grants": None,
    "after": None, "why": "", "once": True,
}  # fmt: skip
PLACE = Place("strait", 1_000_000, 103_000_000, "exact")
CONTENT = PortionContent(
    "EXERCISE", "Boarding", (Passage("p1", "Two boats."), Passage(None, " Also "), Passage("p2", "a source.")),
    places=(PLACE,), observed=Observed(1, None, "exact"), grading=Grading("A", "1"),
)  # fmt: skip


def order(**changes: Any) -> StandingOrder:
    return StandingOrder(**{**ORDER, **changes})


def keep(*passages: str) -> Any:
    def kept(_passages: Sequence[str], _order: StandingOrder) -> frozenset[str]:
        return frozenset(passages)

    return kept


def source(
    number: int = 1, originator: str = "bravo", label: Label = OPEN, content: PortionContent = CONTENT
) -> Source:
    return Source(
        hid=bytes([number]) * 32,
        place=number,
        commitment=bytes(32),
        originator=originator,
        label=label,
        content=content,
    )


def product(sources: Sequence[Source], kept: Any, **changes: Any) -> Any:
    return write_product(sources, order(**changes), kept, author="alpha", community=COMMUNITY)


def test_a_report_keeps_or_drops_whole_passages_and_all_plain_text() -> None:
    written = write_report([Portion(OPEN, CONTENT)], order(), keep("p1"))

    (portion,) = written.portions
    assert (Passage("p1", "Two boats."), Passage(None, " Also ")) == portion.content.body
    assert ((PLACE,), OPEN, ()) == (portion.content.places, portion.label, written.quotes)


def test_a_portion_whose_every_passage_is_dropped_is_left_out() -> None:
    other = CONTENT._replace(title="Plain", body=(Passage(None, "no passage"),))

    written = write_report([Portion(OPEN, CONTENT), Portion(OPEN, other)], order(), keep())

    assert ["Plain"] == [portion.content.title for portion in written.portions]


def test_a_report_of_nothing_is_an_error_that_names_the_order() -> None:
    with pytest.raises(SealError, match="order S1 keeps nothing"):
        write_report([Portion(OPEN, CONTENT)], order(), keep())


def test_an_order_may_give_title_and_label() -> None:
    high = OPEN._replace(level="EX-SECRET")

    (portion,) = write_report([Portion(OPEN, CONTENT)], order(title="Advice", label=high), keep("p1")).portions

    assert ("Advice", high) == (portion.content.title, portion.label)


def test_a_product_takes_the_kept_passages_alone_and_names_its_parents() -> None:
    written = product([source(1), source(2)], keep("p2"))

    (portion,) = written.portions
    assert ["p2", None, "p2"] == [run.passage for run in portion.content.body]
    assert (Parent(bytes([1]) * 32, bytes(32)), Parent(bytes([2]) * 32, bytes(32))) == portion.content.derived_from
    assert [1, 2] == [quote.place for quote in written.quotes]


def test_place_time_and_grading_go_along_only_with_a_portion_that_is_passed_on_whole() -> None:
    whole = product([source()], keep("p1", "p2")).portions[0].content
    part = product([source()], keep("p1")).portions[0].content
    merged = product([source(1), source(2)], keep("p1", "p2")).portions[0].content

    assert ((PLACE,), CONTENT.observed, CONTENT.grading) == (whole.places, whole.observed, whole.grading)
    for content in (part, merged):
        assert ((), None, None) == (content.places, content.observed, content.grading)


def test_a_product_bears_the_strictest_of_its_parts_unless_its_author_says_otherwise_of_what_may_be_changed() -> None:
    strict = Label("AMBER", "EX-SECRET", "toc.piracy", caveats=("ORCON",))

    rolled = product([source(1), source(2, label=strict)], keep("p1")).portions[0].label
    chosen = product([source(1), source(2, label=strict)], keep("p1"), label=OPEN).portions[0].label

    assert ("AMBER", "EX-SECRET", ("ORCON",)) == (rolled.tlp, rolled.level, rolled.caveats)
    assert OPEN._replace(tlp="AMBER", caveats=("ORCON",)) == chosen


def test_what_was_not_quoted_binds_nobody() -> None:
    empty = source(2, label=OPEN._replace(level="EX-SECRET"), content=CONTENT._replace(body=(Passage("p9", "x"),)))

    written = product([source(1), empty], keep("p1"))

    assert "EX-UNCLAS" == written.portions[0].label.level
    assert [1] == [quote.place for quote in written.quotes]


def test_the_authors_own_portions_need_nobodys_leave() -> None:
    written = product([source(1, originator="alpha"), source(2)], keep("p1"))

    assert ["bravo"] == [quote.originator for quote in written.quotes]


def test_a_product_of_nothing_is_an_error() -> None:
    with pytest.raises(SealError, match="keeps nothing of what was received"):
        product([source()], keep("p7"))
