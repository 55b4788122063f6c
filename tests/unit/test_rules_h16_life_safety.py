"""H16, life-safety override: position and danger alone, a named authority, on record, the originator told at once."""

from pathlib import Path
from typing import Any

import pytest

from agencies.drafts import OverrideDraft, Why
from broker.audit.leaves import OverriddenLeaf, leaf_key, message_key, party_key, read_statement
from conformance import world
from console.desk_acts import Override, read_act, write_act
from console.desk_work import DeskWork
from policy.community import Community
from policy.decide import decide
from policy.life_safety import override_label
from policy.verdict import Action, Verdict
from schemas.errors import SealError
from schemas.label import Label
from schemas.limits import OVERRIDE_PADDED_BYTES_MAX, OVERRIDE_READERS_MAX, OVERRIDES_MAX
from schemas.report import Passage
from schemas.workflow import OverrideContent
from tests.samples.small_nodes import SmallRegion, draft, hid_of, small_region

AUTHORITY = "life-safety.sar"
COMMUNITY = Community.compile(world.BUNDLE)
HELP = Why(act="override", order="O16", reason="they will drown", cause="")
CONTROLLED = world.LABEL._replace(caveats=("ORCON",), rel=("bravo", "charlie", "golf"))
# Alpha reports; bravo may invoke the authority, charlie attends it, golf has no part in it; india can help.
ALL = ("alpha", "bravo", "charlie", "golf", "india")


def content(line: str = "Boat adrift, 140 aboard.", **changes: Any) -> OverrideContent:
    made = OverrideContent(
        "EXERCISE", "Duty controller", "vessel-adrift", 6_100_000, 99_300_000, 9_000, world.NOW, (Passage(None, line),)
    )
    return made._replace(**changes)


def override(ref: bytes, *to: str, **changes: Any) -> OverrideDraft:
    fields: dict[str, Any] = {"ref": ref, "authority": AUTHORITY, "content": content(), "to": to, "affected": ()}
    return OverrideDraft(**(fields | {"why": HELP} | changes))


def label(*readers: str) -> Label:
    return override_label(authority=AUTHORITY, readers=readers, affected=(), lowest_level="EX-UNCLAS")


def verdict(of: Label, *, invoker: str = "bravo", reader: str = "india") -> Verdict:
    return decide(of, originator=invoker, recipient=reader, action=Action.RELEASE, at_ms=world.NOW, community=COMMUNITY)


async def told_of_a_boat(region: SmallRegion) -> bytes:
    """Have alpha tell bravo, charlie and golf in confidence; returns the report's id."""
    hid = hid_of(await region.nodes["alpha"].release(draft("A boat", "bravo", "charlie", "golf", label=CONTROLLED)))
    await region.settle()
    return hid


def told(region: SmallRegion) -> list[str]:
    """Return by whom alpha's desk has been told that its report was overridden."""
    return [notice.readers[0] for name, notice in region.notices if name == "alpha" and notice.word == "overridden"]


# What policy says.


def test_h16_a_member_of_the_authority_may_tell_whom_the_rules_name() -> None:
    assert verdict(label("alpha", "india")).permit


@pytest.mark.parametrize("invoker", ["charlie", "golf"])
def test_h16_an_observer_and_a_stranger_may_not_invoke_it(invoker: str) -> None:
    refused = verdict(label("alpha", "india"), invoker=invoker)
    assert (False, "NTK-OVERRIDE") == (refused.permit, refused.rule)
    assert "H16" in [reason.cites for reason in refused.reasons if not reason.passed]


def test_h16_who_may_invoke_it_may_not_tell_whom_no_rule_names() -> None:
    refused = verdict(label("alpha", "golf"), reader="golf")
    assert (False, "NTK-PERMIT") == (refused.permit, refused.rule)


@pytest.mark.parametrize(
    "wider",
    [
        {"tlp": "GREEN"},
        {"level": "EX-RESTRICTED"},
        {"precedence": "ROUTINE"},
        {"caveats": ("ORCON",)},
        {"compartments": ("SEA-EYES",)},
        {"exclude": ("golf",)},
        {"mechanisms": ("our-eyes",)},
        {"not_before": world.NOW - 1},
        {"rel": ("LAO", "india")},
        {"rel": ("@region", "india")},
        {"rel": ("india",)},
        {"rel": ()},
        {"topic": "life-safety.sea"},
        {"topic": "life-safety"},
    ],
)
def test_h16_a_label_with_any_other_freedom_reaches_nobody(wider: dict[str, Any]) -> None:
    assert not verdict(label("alpha", "india")._replace(**wider)).permit


def test_h16_no_more_readers_may_be_named_than_can_reach_a_place() -> None:
    """A community of its own, since the fixed one has fewer agencies than an override may name."""
    names = [f"a{number:02}" for number in range(OVERRIDE_READERS_MAX + 1)]
    more = tuple(world.AGENCIES[8]._replace(agency=name, name=name) for name in names)
    community = Community(world.BUNDLE._replace(agencies=(*world.AGENCIES, *more)))

    def permitted(*readers: str) -> bool:
        return decide(
            label(*readers), originator="bravo", recipient=readers[0], action=Action.RELEASE, at_ms=world.NOW,
            community=community,
        ).permit  # fmt: skip

    assert permitted(*names[:OVERRIDE_READERS_MAX])
    assert not permitted(*names)


# What nodes and router do.


async def test_h16_who_can_help_learns_position_and_danger_and_the_originator_learns_it_too(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        ref = await told_of_a_boat(region)
        released = await region.nodes["bravo"].override(override(ref, "india"))
        await region.settle()

        assert {"alpha", "india"} == set(released.audience)
        (helped,) = await region.nodes["india"].portions(hid_of(released))
        assert content() == helped.content
        assert helped.label.rel == ("alpha", "india")
        # Nothing of the report itself has moved.
        assert [] == await region.nodes["india"].portions(ref)

        assert ["bravo"] == told(region)
        (entry,) = region.journal("alpha", "overridden")
        expected: dict[str, Any] = {
            "hid": ref.hex(),
            "by": hid_of(released).hex(),
            "invoker": "bravo",
            "authority": AUTHORITY,
        }
        expected |= {"office": "Duty controller", "danger": "vessel-adrift", "readers": ["india"]}
        assert expected == entry.fields
        # No rule permits alpha anything under this topic: it is told because the report is its own.
        assert not verdict(label("alpha", "india"), reader="alpha").permit
        assert [] == region.journal("alpha", "misreleased")


async def test_h16_a_person_invokes_it_from_a_desk_once(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        ref = await told_of_a_boat(region)
        act = Override(
            hid=ref,
            authority=AUTHORITY,
            office="Duty controller",
            danger="vessel-adrift",
            latitude_micro=6_100_000,
            longitude_micro=99_300_000,
            radius_m=9_000,
            line="Boat adrift.",
            to=("india",),
            affected=(),
            reason="they will drown",
        )
        assert act == read_act(write_act(act))
        node = region.nodes["bravo"]

        def is_done(cause: str) -> bool:
            return any(entry.fields["cause"] == cause for entry in region.journal("bravo", "intended"))

        work = DeskWork(node=node, on_disk=node._turns.run, clock=region.clock, is_done=is_done)
        made = []
        for _ in range(2):
            made += (await work.carry_out(act, "outgoing:o")).hids
            await region.settle()

        assert 1 == len(made)  # the second time it was done already
        assert ["bravo"] == told(region)
        (entry,) = region.journal("india", "verified")
        assert "life-safety override: vessel-adrift" == entry.fields["portions"][0]["title"]


async def test_h16_without_a_name_all_whom_the_rules_name_are_told(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        ref = await told_of_a_boat(region)
        released = await region.nodes["bravo"].override(override(ref))
        assert {"alpha", "india"} == set(released.audience)


async def test_h16_whom_no_rule_names_is_left_out_and_nobody_is_told_for_nobody(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        ref = await told_of_a_boat(region)
        released = await region.nodes["bravo"].override(override(ref, "golf"))
        await region.settle()

        assert (None, {"golf": "NTK-PERMIT"}) == (released.hid, released.left_out)
        assert [] == told(region)


async def test_h16_a_node_does_not_invoke_what_it_is_no_member_of(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        ref = await told_of_a_boat(region)
        for agency, authority in (("charlie", AUTHORITY), ("golf", AUTHORITY), ("bravo", "our-eyes")):
            with pytest.raises(SealError, match="may not invoke"):
                await region.nodes[agency].override(override(ref, "india", authority=authority))


async def test_h16_a_text_that_is_longer_than_a_line_does_not_go(tmp_path: Path) -> None:
    """Nor does anything of a report that is the node's own, or not here."""
    async with small_region(tmp_path, *ALL) as region:
        ref = await told_of_a_boat(region)
        mine = hid_of(await region.nodes["bravo"].release(draft("Ours", "golf")))
        for other in (mine, bytes(32)):
            with pytest.raises(SealError, match="holds no report"):
                await region.nodes["bravo"].override(override(other, "india"))
        long = content("x" * OVERRIDE_PADDED_BYTES_MAX)
        with pytest.raises(SealError, match="where 511 are the most"):
            await region.nodes["bravo"].override(override(ref, "india", content=long))


async def test_h16_nobody_is_told_where_the_originator_cannot_be(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        ref = await told_of_a_boat(region)
        # Its node goes away, and after ten days no key of it holds any more.
        await region.stop("alpha")
        region.set_clock(world.NOW + 10 * world.DAY_MS)
        for agency in ("bravo", "india"):
            await region.nodes[agency].renew_keys()
        with pytest.raises(SealError, match="alpha could not be told"):
            await region.nodes["bravo"].override(override(ref, "india"))


async def test_h16_a_report_is_not_handed_on_in_pieces(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        ref = await told_of_a_boat(region)
        for piece in range(OVERRIDES_MAX + 1):
            await region.nodes["bravo"].override(override(ref, "india", content=content(f"Drifted {piece} miles.")))
            await region.settle()

        (refused,) = region.journal("bravo", "refused")
        assert "REFERENCE" == refused.fields["code"]
        assert ["bravo"] * OVERRIDES_MAX == told(region)


async def test_h16_a_recall_of_the_report_taints_the_override(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        ref = await told_of_a_boat(region)
        made = hid_of(await region.nodes["bravo"].override(override(ref, "india")))
        await region.settle()
        await region.nodes["alpha"].recall(ref, HELP)
        await region.settle()

        (entry,) = region.journal("bravo", "tainted")
        assert [made.hex()] == entry.fields["products"]
        with pytest.raises(SealError, match="holds no report"):
            await region.nodes["bravo"].override(override(ref, "india"))


async def test_h16_an_override_is_on_record_in_a_leaf_that_its_originator_can_open(tmp_path: Path) -> None:
    async with small_region(tmp_path, *ALL) as region:
        ref = await told_of_a_boat(region)
        made = hid_of(await region.nodes["bravo"].override(override(ref, "india")))
        await region.settle()

        store = region.wire.router.store
        (record,) = [row for row in store.records() if row.stage == "overridden"]
        assert (ref, "alpha") == (record.hid, record.agency)
        assert store.log is not None
        leaves = [read_statement(row.statement) for row in store.log.rows()]
        (leaf,) = [leaf for leaf in leaves if isinstance(leaf, OverriddenLeaf)]
        assert leaf[2:] == (ref, "alpha", made, "bravo", AUTHORITY, ("alpha", "india"))
        secret = world.secret("a log")
        assert party_key(message_key(secret, ref), "alpha") == leaf_key(secret, leaf)
        decided = {leaf[3] for leaf in leaves if (leaf[0], leaf[2]) == ("decided", made)}
        assert {"alpha", "india"} == decided
