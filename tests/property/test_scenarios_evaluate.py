"""Algebra of the evaluation, on plays made up at random: parts add up, states exclude one another, ENDEX censors."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.evaluate.delays import Step, cut
from scenarios.evaluate.denials import Denial
from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.record import Event
from tests.samples.small_exercise import MINUTE_MS, SEATS, Recorder, hid, small_community, small_pack

COMMUNITY = small_community()
END_MINUTE = 60
MINUTES = st.integers(0, END_MINUTE)
ANY_TIME = st.integers(-50, 1_050)
AGENCIES = st.sampled_from(sorted(SEATS))


@st.composite
def plays(draw: st.DrawFn) -> tuple[Event, ...]:
    """Injects, releases by whoever, arrivals late or never, openings, denials: any order a bad day may bring."""
    record = Recorder()
    record.note(0, "excon", "startex")
    for inject, passage in (("E1", "p1"), ("E2", "p2"), ("E3", "p3")):
        for agency in draw(st.sets(AGENCIES, max_size=2)):
            record.inject(draw(MINUTES), inject, agency, passage)
    for number in range(1, draw(st.integers(0, 8)) + 1):
        message, author = f"M{number}", draw(AGENCIES)
        readers = sorted(draw(st.sets(AGENCIES, max_size=3)) - {author})
        at = draw(MINUTES)
        causes = st.sampled_from(["E1", "E2", None, *(hid(f"M{each}") for each in range(1, 9))])
        cause = draw(causes)
        passages = sorted(draw(st.sets(st.sampled_from(["p1", "p2", "p3"]), max_size=2)))
        left_out = dict.fromkeys(draw(st.sets(AGENCIES, max_size=2)) - set(readers), "NTK-REL")
        record.note(at, author, "intended", act="report", order=None, reason="", to=[], left_out=left_out, cause=cause)
        if readers:
            record.release(at, author, message, readers, passages=passages, cause=cause)
        for reader in readers:
            wait = draw(st.one_of(st.none(), MINUTES))
            if wait is not None:
                opened = draw(st.one_of(st.none(), MINUTES))
                record.arrive(at + wait, message, reader, opened=None if opened is None else at + wait + opened)
    record.note(END_MINUTE, "excon", "endex")
    return tuple(record.events)


def judge(events: tuple[Event, ...]) -> Evaluation:
    return evaluate(small_pack(), events, COMMUNITY)


@settings(max_examples=150, deadline=None)
@given(plays())
def test_the_parts_of_every_delay_add_up_to_the_whole_exactly(events: tuple[Event, ...]) -> None:
    evaluation = judge(events)
    for need in evaluation.certain.needs:
        split = need.split
        if split is None:
            continue
        end_ms = evaluation.end_ms if need.cell.known_ms is None else need.cell.known_ms

        assert split.total_ms == end_ms - (need.first_ms or 0)
        assert split.hold_ms + split.rule_ms + split.link_ms + split.desk_ms == split.total_ms
        assert min(split.hold_ms, split.rule_ms, split.link_ms, split.desk_ms) >= 0
        # The stretches lie end to end, so a reader of the bar misses and doubles nothing.
        edges = [edge for stretch in split.stretches for edge in (stretch.begin_ms, stretch.end_ms)]
        assert edges == sorted(edges)


@settings(max_examples=150, deadline=None)
@given(plays())
def test_every_need_is_in_exactly_one_state_and_endex_fails_nobody_early(events: tuple[Event, ...]) -> None:
    evaluation = judge(events)
    figures = evaluation.certain.sharing
    others = [need for need in evaluation.certain.needs if need.cell.state in {"origin", "disclosure"}]

    assert figures.needs == figures.fell_due + figures.not_observed + len(others)
    for need in evaluation.certain.needs:
        if need.cell.state == "missed":
            assert need.cell.due_ms is not None
            assert need.cell.due_ms <= evaluation.end_ms


@settings(max_examples=60, deadline=None)
@given(plays(), st.randoms(use_true_random=False))
def test_the_order_of_the_lines_makes_no_difference(events: tuple[Event, ...], chance: st.DataObject) -> None:
    shuffled = list(events)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis hands in a random.Random

    assert judge(events).as_json() == judge(tuple(shuffled)).as_json()


@settings(max_examples=60, deadline=None)
@given(plays(), st.integers(1, 60))
def test_more_time_never_turns_a_need_from_on_time_into_late(events: tuple[Event, ...], minutes: int) -> None:
    pack = small_pack()
    patient = tuple(replace(need, by_ms=need.by_ms + minutes * MINUTE_MS) for need in pack.needs)
    strict = evaluate(pack, events, COMMUNITY).certain.needs
    relaxed = evaluate(replace(pack, needs=patient), events, COMMUNITY).certain.needs

    assert [
        need.need
        for need, later in zip(strict, relaxed, strict=True)
        if need.cell.state == "on time" and later.cell.state != "on time"
    ] == []


@given(
    st.integers(0, 1_000),
    st.integers(0, 1_000),
    st.lists(
        st.tuples(st.integers(-50, 1_050), st.integers(-50, 1_050), st.one_of(st.none(), st.integers(-50, 1_050)))
    ),
    st.lists(st.integers(0, 1_000), max_size=3),
)
def test_a_chain_of_any_times_even_impossible_ones_is_cut_without_rest(
    begin_ms: int, length_ms: int, times: list[tuple[int, int, int | None]], denied_ms: list[int]
) -> None:
    """A foreign node's clock may be wrong; the cuts are clamped into order and still add up."""
    chain = tuple(
        Step(sender="a", reader="b", hid=str(number), released_ms=released, read_ms=read, opened_ms=opened)
        for number, (released, read, opened) in enumerate(times)
    )
    denials = [
        Denial(at_ms=at_ms, holder="a", agency="b", facts=("F",), rule="R", hid=None, how="left out")
        for at_ms in denied_ms
    ]

    split = cut(begin_ms, begin_ms + length_ms, chain, denials, complete=True)

    assert split.hold_ms + split.rule_ms + split.link_ms + split.desk_ms == length_ms
