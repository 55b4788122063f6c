"""RFIs, deconfliction and coordination between real nodes and a real router: who hears what, and who is waited for."""

import json
from pathlib import Path

import pytest

from agencies.deconflict import Identifier
from agencies.drafts import Draft, QuestionPortion, Why, WorkflowDraft
from agencies.journal import Entry
from conformance import world
from console.happenings import Happenings
from console.node_view import show_happening
from console.screen import console
from console.sent_log import sent_messages
from schemas.errors import SealError
from schemas.label import Label
from schemas.limits import DECONFLICT_ASKS_MAX
from schemas.report import Indicator, PortionContent
from schemas.workflow import CoordAct, CoordContent, DeconflictAsk, RfiContent
from tests.samples.small_nodes import SmallRegion, draft, portion, small_region

WHY = Why(act="ask", order="O1", reason="a boarding is planned", cause="E1")
HOUR_MS = 3_600_000
DUE = world.NOW + HOUR_MS
BOAT = Identifier("vessel-name", "Bunga Melati 7")
OTHER_BOAT = Identifier("vessel-name", "Sri Kemboja")


def question(*to: str, label: Label = world.LABEL, due: int = DUE) -> Draft:
    content = RfiContent("EXERCISE", "the boat", "What do you hold on Bunga Melati 7?", "a boarding tonight", due)
    return Draft(portions=(), questions=(QuestionPortion(label, content),), to=to, why=WHY, kind="rfi")


def step(act: CoordAct, to: str, ref: bytes | None, due: int | None = None) -> WorkflowDraft:
    content = CoordContent("EXERCISE", act, "board the boat", "at the anchorage", due)
    return WorkflowDraft(kind="coord", content=content, to=to, ref=ref, why=WHY)


def texts(*names: str) -> list[PortionContent]:
    indicators = tuple(Indicator("vessel-name", name) for name in names)
    return [PortionContent("EXERCISE", "held", (), indicators=indicators)]


async def ask(region: SmallRegion, *to: str) -> bytes:
    released = await region.nodes["alpha"].release(question(*to))
    await region.settle()
    assert released.hid is not None
    return released.hid


def noted(region: SmallRegion, agency: str) -> list[tuple[str, str, str, str]]:
    def of(entry: Entry) -> tuple[str, str, str, str]:
        return entry.stage, entry.fields["exchange"], entry.fields["partner"], entry.fields["outcome"]

    return [of(entry) for entry in region.journal(agency, "asked", "asked_of", "answered", "unanswered", "answer_due")]


async def test_an_answer_goes_to_the_asker_alone_and_both_records_have_it(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        hid = await ask(region, "bravo", "charlie")
        answer = draft("It left at noon.", "alpha", kind="answer", ref=hid)
        await region.nodes["bravo"].release(answer)
        await region.settle()

        assert ["It left at noon."] == region.titles("alpha")
        assert [] == region.titles("charlie")
        assert [
            ("asked", "rfi", "bravo", "open"),
            ("asked", "rfi", "charlie", "open"),
            ("answered", "rfi", "bravo", "answered"),
        ] == noted(region, "alpha")
        assert [("asked_of", "rfi", "alpha", "open"), ("answered", "rfi", "alpha", "answered")] == noted(
            region, "bravo"
        )


async def test_need_to_know_decides_who_may_see_a_question(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        await region.nodes["alpha"].release(question(label=world.HIGH))
        await region.settle()

        assert {"charlie"} == {name for name, _ in region.arrivals}


async def test_who_was_not_asked_cannot_answer(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        hid = await ask(region, "bravo")
        with pytest.raises(SealError, match="nothing that this would answer"):
            await region.nodes["charlie"].release(draft("I know!", "alpha", kind="answer", ref=hid))
        with pytest.raises(SealError, match="nothing that this would answer"):
            await region.nodes["bravo"].release(draft("For you.", "charlie", kind="answer", ref=hid))


async def test_a_question_without_an_answer_is_told_on_both_sides_once(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await ask(region, "bravo")
        for later_ms in (0, 1):
            region.set_clock(DUE + later_ms)
            for node in region.nodes.values():
                await node.look_for_overdue()

        assert [("alpha", "unanswered", ("bravo",)), ("bravo", "answer_due", ("alpha",))] == [
            (name, notice.word, notice.readers)
            for name, notice in region.notices
            if notice.word in {"unanswered", "answer_due"}
        ]
        assert ("unanswered", "rfi", "bravo", "open") in noted(region, "alpha")
        assert ("answer_due", "rfi", "alpha", "open") in noted(region, "bravo")


async def test_a_late_answer_is_as_welcome_as_any(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        hid = await ask(region, "bravo")
        region.set_clock(DUE + 1)
        await region.nodes["alpha"].look_for_overdue()
        await region.nodes["bravo"].release(draft("At last.", "alpha", kind="answer", ref=hid))
        await region.settle()

        assert ["unanswered", "answered"] == [stage for stage, *_ in noted(region, "alpha")][1:]


async def test_a_question_that_was_declined_is_waited_for_no_more(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        hid = await ask(region, "bravo")
        await region.nodes["bravo"].coordinate(step("decline", "alpha", hid))
        await region.settle()
        region.set_clock(DUE + 1)
        await region.nodes["alpha"].look_for_overdue()

        assert ["declined"] == [arrival.outcome for name, arrival in region.arrivals if name == "alpha"]
        assert [] == region.journal("alpha", "unanswered")


async def test_what_is_waited_for_outlives_a_restart(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await ask(region, "bravo")
        await region.stop("alpha")
        node = region.start("alpha")
        region.set_clock(DUE)
        await node.look_for_overdue()

        assert 1 == len(region.journal("alpha", "unanswered"))


# Deconfliction.


async def hits(region: SmallRegion, *held: str, asked: tuple[Identifier, ...] = (BOAT, OTHER_BOAT)) -> list[str]:
    """Let alpha ask bravo, and say what reached alpha's desk."""
    alpha, bravo = region.nodes["alpha"], region.nodes["bravo"]
    await alpha.ask_for_hits(asked, to="bravo", subject="a boarding", answer_by=DUE, why=WHY)
    await region.settle()
    arrival = next(arrival for name, arrival in reversed(region.arrivals) if name == "bravo")
    content = arrival.contents[0][1]
    assert isinstance(content, DeconflictAsk)
    await bravo.answer_ask(arrival.hid, content, asker="alpha", own=texts(*held), why=WHY)
    await region.settle()
    return [arrival.outcome for name, arrival in region.arrivals if name == "alpha"]


async def test_an_ask_hits_what_the_other_holds_and_nothing_else(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        assert ["hit"] == await hits(region, "BUNGA-MELATI 7", "Another")
        assert ["hit", "no_hit"] == await hits(region, "Another")


async def test_neither_side_reads_a_name_in_anything_that_was_sent(tmp_path: Path) -> None:
    """Not in clear, and not in the other's database either: what bravo holds never leaves bravo."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await hits(region, "Rahsia Laut")
        for agency in ("alpha", "bravo"):
            await region.stop(agency)
    stored = {path.name: path.read_bytes() for path in (tmp_path / "nodes").iterdir()}
    assert not [name for name, found in stored.items() if b"ahsia" in found.lower()]
    assert not [name for name, found in stored.items() if name.startswith("bravo") and b"melati" in found.lower()]


async def test_the_secret_of_an_ask_is_gone_once_it_is_answered(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await hits(region, "Another")
        kept = region.nodes["alpha"].store._sql.execute("SELECT state, kept FROM question").fetchall()

        assert [("no_hit", None)] == kept


async def test_more_asks_within_an_hour_than_are_allowed_reach_no_desk(tmp_path: Path) -> None:
    """Every ask is a chance to guess; the quota is what bounds guessing."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        for _ in range(DECONFLICT_ASKS_MAX + 1):
            await region.nodes["alpha"].ask_for_hits((BOAT,), to="bravo", subject="s", answer_by=DUE, why=WHY)
            await region.settle()
        assert DECONFLICT_ASKS_MAX == len([name for name, _ in region.arrivals if name == "bravo"])
        assert ["QUOTA"] == [entry.fields["code"] for entry in region.journal("bravo", "rejected")]

        region.set_clock(world.NOW + HOUR_MS)
        await region.nodes["alpha"].ask_for_hits((BOAT,), to="bravo", subject="s", answer_by=DUE, why=WHY)
        await region.settle()
        assert DECONFLICT_ASKS_MAX + 1 == len([name for name, _ in region.arrivals if name == "bravo"])


# What people are shown.


async def test_people_are_shown_questions_answers_and_what_is_due(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        views = {name: Happenings(region.nodes[name].store) for name in ("alpha", "bravo")}
        await hits(region, "Bunga Melati 7")
        await ask(region, "bravo")
        region.set_clock(DUE)
        for node in region.nodes.values():
            await node.look_for_overdue()
        for view in views.values():
            for happening in view.news():
                json.dumps(happening)  # what machines are told is JSON
                show_happening(console(), happening)
        sent = sent_messages(region.nodes["alpha"].store.journal.entries())

    shown = " ".join(capsys.readouterr().out.split())
    assert "HIT: the deconflict 'a boarding', between here and bravo" in shown
    assert "points: 16 blinded points" in shown
    assert "UNANSWERED: nothing from bravo in time on the rfi 'the boat'" in shown
    assert "ANSWER DUE: alpha waits for one on the rfi 'the boat'" in shown
    assert [("deconflict", "hit"), ("rfi", "unanswered")] == [
        (message.kind, message.readers["bravo"].answer) for message in sent
    ]


# Coordination.


async def coordinate(region: SmallRegion, opens: CoordAct, *steps: tuple[str, CoordAct]) -> list[str]:
    """Let alpha open a thread with bravo and both go on; return the outcomes that reached desks, in order."""
    opened = await region.nodes["alpha"].coordinate(step(opens, "bravo", None, DUE))
    await region.settle()
    for agency, act in steps:
        other = "bravo" if agency == "alpha" else "alpha"
        await region.nodes[agency].coordinate(step(act, other, opened.hid))
        await region.settle()
    return [arrival.outcome for _, arrival in region.arrivals]


async def test_a_task_is_accepted_and_done_by_whom_it_was_given_to(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        assert ["open", "accepted", "done"] == await coordinate(region, "task", ("bravo", "accept"), ("bravo", "done"))


async def test_an_offer_is_accepted_by_the_other_and_done_by_who_made_it(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        assert ["open", "accepted", "done"] == await coordinate(region, "offer", ("bravo", "accept"), ("alpha", "done"))


@pytest.mark.parametrize(
    ("opens", "steps"),
    [
        ("task", [("alpha", "accept")]),  # what one asked for oneself
        ("task", [("bravo", "done")]),  # what nobody accepted
        ("task", [("bravo", "decline"), ("bravo", "accept")]),
        ("task", [("bravo", "accept"), ("alpha", "done")]),
        ("offer", [("bravo", "accept"), ("bravo", "done")]),
    ],
)
async def test_a_step_out_of_turn_is_not_sent(
    tmp_path: Path, opens: CoordAct, steps: list[tuple[str, CoordAct]]
) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        with pytest.raises(SealError, match="can be answered by"):
            await coordinate(region, opens, *steps)


async def test_what_was_accepted_and_not_done_is_told_to_both_by_its_time(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        await coordinate(region, "task", ("bravo", "accept"))
        region.set_clock(DUE)
        for node in region.nodes.values():
            await node.look_for_overdue()

        assert ("unanswered", "task", "bravo", "accepted") == noted(region, "alpha")[-1]
        assert ("answer_due", "task", "alpha", "accepted") == noted(region, "bravo")[-1]


async def test_a_coordination_cannot_carry_a_report(tmp_path: Path) -> None:
    """Everybody may exchange what bears its topic, so its content is read by its own shapes alone."""
    async with small_region(tmp_path, "alpha", "bravo") as region:
        label = world.LABEL._replace(topic="workflow.coord")
        await region.nodes["alpha"].release(draft("", "bravo", portions=(portion("secret", label),), kind="coord"))
        await region.settle()

        assert [] == region.arrivals
        assert ["CONTENT"] == [entry.fields["code"] for entry in region.journal("bravo", "rejected")]
