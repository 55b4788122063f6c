"""H9: only the affected state asks for help, its figures are the official ones, and an offer waits until it asks."""

from pathlib import Path
from typing import Final

import pytest

from agencies.drafts import Why, WorkflowDraft
from conformance import world
from policy.affected import speaks_for
from policy.community import Community
from policy.enquiry import Enquiry
from policy.verdict import Verdict
from schemas.errors import SealError
from schemas.label import Label
from schemas.workflow import CoordAct, CoordContent
from tests.samples.small_nodes import SmallRegion, small_region

# A rule of the community keeps this topic to the affected state.
FIGURES: Final[Label] = world.LABEL._replace(topic="toc.losses", affected=("MYS",))
COMMUNITY: Final = Community.compile(world.BUNDLE)
WHY = Why(act="coordinate", order="O1", reason="a ferry is missing", cause="E1")


def ask(originator: str, label: Label, recipient: str = "charlie") -> Verdict:
    return Enquiry(label=label, originator=originator, recipient=recipient, at_ms=world.NOW).decide(COMMUNITY)


def help_step(act: CoordAct, to: str, *affected: str, ref: bytes | None = None) -> WorkflowDraft:
    content = CoordContent("EXERCISE", act, "search for the ferry", "two ships", None)
    return WorkflowDraft(kind="coord", content=content, to=to, ref=ref, why=WHY, affected=affected)


async def coordinate(region: SmallRegion, agency: str, draft: WorkflowDraft) -> bytes:
    released = await region.nodes[agency].coordinate(draft)
    await region.settle()
    assert released.hid is not None
    return released.hid


def came(region: SmallRegion, agency: str) -> list[tuple[str, str]]:
    """Return which steps of which agency reached a desk."""
    return [
        (arrival.originator, content.act)
        for name, arrival in region.arrivals
        if name == agency
        for _, content in arrival.contents
        if isinstance(content, CoordContent)
    ]


# Figures.


def test_h9_the_affected_states_own_figures_go_to_whom_the_rules_permit() -> None:
    assert ask("alpha", FIGURES).permit


@pytest.mark.parametrize("originator", ["bravo", "charlie", "delta"])
def test_h9_nobody_else_gives_out_figures_of_its_own(originator: str) -> None:
    verdict = ask(originator, FIGURES, "golf")

    assert not verdict.permit
    assert "N4" == verdict.rule


def test_h9_figures_that_say_of_nobody_are_nobodys_to_give_out() -> None:
    assert "N4" == ask("alpha", FIGURES._replace(affected=())).rule


def test_h9_an_estimate_under_another_topic_is_no_official_figure_and_may_go() -> None:
    assert ask("bravo", FIGURES._replace(topic="toc.estimate")).permit


def test_h9_the_affected_state_still_reads_what_others_may_not_write() -> None:
    """The rule is about who writes; the originator's own stays its own, whatever it says."""
    assert ask("bravo", FIGURES, "bravo").permit


# Asking for help and offering it.


def test_h9_an_affected_state_speaks_for_itself_and_nobody_without_a_state_does() -> None:
    assert speaks_for(("MYS",), ("alpha",), COMMUNITY)
    assert speaks_for((), ("bravo",), COMMUNITY)
    assert not speaks_for(("MYS",), ("bravo", "nobody-here"), COMMUNITY)


async def test_h9_help_that_was_asked_for_is_offered_and_accepted(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        asked = await coordinate(region, "alpha", help_step("task", "bravo", "MYS"))
        offered = await coordinate(region, "bravo", help_step("offer", "alpha", "MYS", ref=asked))
        await coordinate(region, "alpha", help_step("accept", "bravo", ref=offered))

        assert [("alpha", "task"), ("alpha", "accept")] == came(region, "bravo")
        assert [("bravo", "offer")] == came(region, "alpha")


async def test_h9_an_offer_that_nobody_asked_for_does_not_leave_its_own_node(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        asked = await coordinate(region, "alpha", help_step("task", "charlie", "MYS"))
        for ref in (None, asked):
            with pytest.raises(SealError, match="nobody of MYS has asked bravo"):
                await region.nodes["bravo"].coordinate(help_step("offer", "alpha", "MYS", ref=ref))
        await region.settle()

        assert [] == came(region, "alpha")


async def test_h9_nobody_asks_for_help_for_another_state(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        with pytest.raises(SealError, match="nobody of IDN has asked alpha"):
            await region.nodes["alpha"].coordinate(help_step("task", "bravo", "IDN"))
        await region.settle()

        assert [] == came(region, "bravo")


async def test_h9_an_offer_unasked_is_refused_by_router_and_reader_where_its_own_node_let_it_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the sender's node is made to believe, then the router as well: a lie needs one honest end to fail."""
    early = help_step("offer", "alpha", "MYS")
    async with small_region(tmp_path, "alpha", "golf") as region:
        with monkeypatch.context() as believing:
            believing.setattr(region.nodes["golf"]._questions, "_core", _Claiming("golf", "MYS"))
            await coordinate(region, "golf", early)
            assert ["golf"] == [row.agency for row in region.router.records("refused")]
            assert [] == region.journal("alpha", "rejected")

            believing.setattr("broker.exchanges.speaks_for", lambda *_: True)
            await coordinate(region, "golf", early)

        assert [] == came(region, "alpha")
        assert ["AUDIENCE"] == [entry.fields["code"] for entry in region.journal("alpha", "rejected")]


class _Claiming:
    """What a node is shown that is to believe that its own agency is of another state."""

    def __init__(self, agency: str, state: str) -> None:
        self.agency = agency
        agencies = tuple(
            item._replace(state=state) if item.agency == agency else item for item in world.BUNDLE.agencies
        )
        self.community = Community.compile(world.BUNDLE._replace(agencies=agencies))
