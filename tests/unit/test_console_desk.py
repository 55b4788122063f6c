"""A person's desk at a node: acts as bytes, acts carried out once, and what may be read by whom and until when."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, get_args

import pytest
from rich.console import Console

from agencies.outgoing import Released
from agencies.store import NodeStore
from conformance import world
from console.commands_desk import DANGER_WORDS
from console.desk_acts import Act, Answer, Ask, Decide, Forward, Recall, Release, Request, act_name, read_act, write_act
from console.desk_read import read_message
from console.exits import Exit
from console.happenings import shown_portion
from console.inbox import read_inbox
from console.inbox_view import show_inbox
from console.node_reading import NodeReading
from console.node_view import show_happening
from schemas.codec import pack
from schemas.errors import DiskFullError, InputError, RemoteError, SealError
from schemas.report import Passage
from schemas.workflow import CoordContent, Danger, OverrideContent, ProposalContent, ReleaseTerms
from tests.samples.command_line import at_once
from tests.samples.desk_at_node import work_of
from tests.samples.quick_region import quick_region
from tests.samples.silence_procedure import members, put, wait_for_the_end
from tests.samples.small_nodes import SmallRegion, draft, hid_of, small_region

HOUR_MS: Final = 3_600_000
CONTROLLED: Final = world.LABEL._replace(tlp="GREEN", caveats=("ORCON",))
HID: Final = bytes(range(32))


def reading_of(region: SmallRegion, agency: str, *, now_ms: int = world.NOW) -> NodeReading:
    store = region.nodes[agency].store
    return NodeReading(agency=agency, part=region.folder / agency, store=store, runs=True, now_ms=now_ms)


async def asked_of_alpha(region: SmallRegion) -> tuple[bytes, bytes]:
    """Have bravo, which holds a report of alpha, ask alpha to release it to charlie; returns report and request."""
    report = hid_of(await region.nodes["alpha"].release(draft("one", "bravo", label=CONTROLLED)))
    await region.settle()
    act = Request(report, "charlie", 0, "the track", "it is near", HOUR_MS, None)
    carried = await work_of(region, "bravo").carry_out(act, "outgoing:r")
    await region.settle()
    return report, bytes.fromhex(carried.hids[0])


@pytest.mark.parametrize(
    "act",
    [
        Forward(HID, 5, ("bravo",), "needed"),
        Ask(("bravo",), world.LABEL, "tugs", "Which?", "a plan", HOUR_MS),
        Answer(HID, "", "", (HID,)),
    ],
)
def test_an_act_is_read_back_as_it_was_written(act: Act) -> None:
    assert act == read_act(write_act(act))


@pytest.mark.parametrize(
    "laid",
    [
        b"", b"\x90", pack(("forward", ())), pack(("release", (HID, "x"))), pack(("recall", (HID, ""))),
        pack(("recall", (HID[:31], "x"))), pack(("recall", (HID, "x", "y"))), pack(("recall", (HID, "x"))) + b"\x00",
    ],
)  # fmt: skip
def test_what_is_no_act_is_refused(laid: bytes) -> None:
    with pytest.raises(RemoteError):
        read_act(laid)


def test_what_the_node_would_refuse_to_read_is_not_handed_over() -> None:
    with pytest.raises(InputError, match="cannot be handed over"):
        write_act(Recall(HID, ""))


async def test_a_grant_that_was_cut_short_goes_on_where_it_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full between decision and release; nothing is said twice, and nothing is left out."""
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        report, request = await asked_of_alpha(region)
        act = Decide(request, "grant", None, 0, "for the patrol", "it is near", 2 * HOUR_MS)
        alpha, work = region.nodes["alpha"], work_of(region, "alpha")

        async def full(*_anything: object) -> Released:
            msg = "no room"
            raise DiskFullError(msg)

        with monkeypatch.context() as patch:
            patch.setattr(alpha, "release_again", full)
            with pytest.raises(DiskFullError):
                await work.carry_out(act, "outgoing:d")
        await region.settle()
        assert [] == region.titles("charlie")
        await work.carry_out(act, "outgoing:d")
        await work.carry_out(act, "outgoing:d")
        await region.settle()

        assert ["one"] == region.titles("charlie")
        assert [False, True] == [entry.fields.get("copy", False) for entry in region.journal("alpha", "decision")]
        assert [("bravo",), ("charlie",)] == [
            tuple(entry.fields["audience"]) for entry in region.journal("alpha", "released")
            if entry.fields["hid"] == report.hex()
        ]  # fmt: skip


async def test_only_with_its_originators_grant_is_a_report_handed_on_and_it_names_its_parent(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        report, request = await asked_of_alpha(region)
        forward = Forward(report, 0, ("charlie",), "with what we know")
        denied = await work_of(region, "bravo").carry_out(forward, "outgoing:f1")
        assert ([], {"charlie": "NTK-ORCON"}) == (denied.hids, denied.left_out)
        (attempt,) = region.journal("bravo", "onward_denied")
        assert ["charlie"] == list(attempt.fields["agencies"])

        granted = Decide(request, "grant", None, 0, "", "it is near", None)
        await work_of(region, "alpha").carry_out(granted, "outgoing:d")
        await region.settle()
        (product,) = (await work_of(region, "bravo").carry_out(forward, "outgoing:f2")).hids
        await region.settle()

        (portion,) = read_message(reading_of(region, "charlie"), bytes.fromhex(product))["portions"]
        assert [{"hid": report.hex(), "state": "held, of alpha"}] == portion["parents"]


async def test_nothing_is_shown_of_what_a_grant_brought_once_it_is_over_though_the_node_has_not_looked_yet(
    tmp_path: Path,
) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        report, request = await asked_of_alpha(region)
        act = Decide(request, "grant", None, 0, "", "it is near", HOUR_MS)
        await work_of(region, "alpha").carry_out(act, "outgoing:d")
        await region.settle()

        before, after = (reading_of(region, "charlie", now_ms=world.NOW + at) for at in (HOUR_MS - 1, HOUR_MS))
        assert "held" == read_message(before, report)["state"]
        ended = read_message(after, report)
        assert ("ended", []) == (ended["state"], ended["portions"])
        listed = {item.hid: (item.title, item.state) for item in read_inbox(after, everything=True).held}
        assert ("", "ended") == listed[report.hex()]
        region.set_clock(world.NOW + HOUR_MS)
        with pytest.raises(SealError, match="nothing of"):
            await work_of(region, "charlie").carry_out(Forward(report, 0, ("bravo",), "x"), "outgoing:f")


async def test_a_report_is_released_to_one_more_reader_unasked_and_for_a_time(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        report = hid_of(await region.nodes["alpha"].release(draft("one", "bravo", label=CONTROLLED)))
        await region.settle()
        act = Release(report, 0, ("charlie",), "for the patrol", "it is near", HOUR_MS)
        await work_of(region, "alpha").carry_out(act, "outgoing:x")
        again = await work_of(region, "alpha").carry_out(act, "outgoing:x")
        await region.settle()

        assert ["one"] == region.titles("charlie")
        assert [] == again.hids, "nothing is done twice"
        assert "ended" == read_message(reading_of(region, "charlie", now_ms=world.NOW + HOUR_MS), report)["state"]
        with pytest.raises(SealError, match="may be given nothing"):
            await work_of(region, "alpha").carry_out(act, "outgoing:y")


async def test_the_proposer_of_a_silence_procedure_waits_and_then_may_release(tmp_path: Path) -> None:
    async with members(tmp_path, "alpha", "bravo", "charlie", "delta") as region:
        product, proposal = await put(region)
        (awaited,) = read_inbox(reading_of(region, "alpha"), everything=False).awaited
        (asked,) = read_inbox(reading_of(region, "bravo"), everything=False).waiting
        assert [("objections", proposal.hex()), ("object", proposal.hex())] == [
            (item.what, item.hid) for item in (awaited, asked)
        ]
        await wait_for_the_end(region)
        (ready,) = read_inbox(reading_of(region, "alpha", now_ms=region.clock.at_ms), everything=False).waiting
        assert ("release", product.hex(), ("delta",)) == (ready.what, ready.hid, ready.who)

        act = Release(product, 0, ready.who, "", "nobody objected", None)
        await work_of(region, "alpha").carry_out(act, "outgoing:x")
        await region.settle()
        assert ["Product"] == region.titles("delta")
        assert [] == read_inbox(reading_of(region, "alpha", now_ms=region.clock.at_ms), everything=False).waiting


async def test_a_message_is_named_by_any_beginning_that_is_its_own(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        report = hid_of(await region.nodes["alpha"].release(draft("one", "bravo")))
        await region.settle()
        for agency in ("alpha", "bravo"):
            assert report == reading_of(region, agency).find(report.hex()[:6].upper())
        refusals = {"abc": "no beginning", "zzzz": "no beginning", ("0" if report[0] > 15 else "f") * 8: "holds no"}
        for prefix, said in refusals.items():
            with pytest.raises(InputError, match=said):
                reading_of(region, "bravo").find(prefix)


async def test_the_inbox_says_what_waits_and_what_is_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        _, request = await asked_of_alpha(region)
        inboxes = {name: read_inbox(reading_of(region, name), everything=False) for name in ("alpha", "bravo")}
        assert [("decide", request.hex(), ("bravo",), False)] == [
            (item.what, item.hid, item.who, item.overdue) for item in inboxes["alpha"].waiting
        ]
        assert [("decision", request.hex())] == [(item.what, item.hid) for item in inboxes["bravo"].awaited]
        late = read_inbox(reading_of(region, "alpha", now_ms=world.NOW + HOUR_MS + 1), everything=False)
        assert [True] == [item.overdue for item in late.waiting]
        show_inbox(Console(width=200), inboxes["alpha"])
        assert f"decide {request.hex()[:12]} grant|refuse --why" in capsys.readouterr().out

        store = region.nodes["bravo"].store
        with store.transaction():
            store.keep_value("unarrived:alpha", store.highest_seq("alpha") + 2)
            store.journal.write("unarrived", at_ms=world.NOW, machine_ms=world.NOW, originator="alpha", messages=2)
        assert {"alpha": 2} == read_inbox(reading_of(region, "bravo"), everything=False).unarrived


async def test_a_decision_on_what_was_never_asked_is_refused(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo") as region:
        report = hid_of(await region.nodes["alpha"].release(draft("one", "bravo")))
        await region.settle()
        refuse: Callable[[bytes], Decide] = lambda hid: Decide(hid, "refuse", None, 0, "", "no", None)  # noqa: E731 - one line says it
        for agency, hid, said in (("bravo", report, "is no request"), ("bravo", HID, "is not held")):
            with pytest.raises(SealError, match=said):
                await work_of(region, agency).carry_out(refuse(hid), "outgoing:d")


def test_everything_that_has_no_title_is_shown_field_by_field(capsys: pytest.CaptureFixture[str]) -> None:
    """A step of a coordination has a text, an override a line, a proposal terms: none of them is a report."""
    contents = (
        CoordContent("EXERCISE", "task", "Clear the way", "By midnight", world.NOW),
        OverrideContent("EXERCISE", "duty", "fire", 1, 2, 3, world.NOW, (Passage(None, "She burns"),)),
        ProposalContent("EXERCISE", "to a partner", "it asked", ReleaseTerms(HID, 1, "bravo"), world.NOW),
    )
    for content in contents:
        received = {
            "event": "received", "at_ms": world.NOW, "hid": HID.hex(), "kind": "coord", "originator": "alpha",
            "ref": None, "portions": [shown_portion(world.LABEL, content)],
        }  # fmt: skip
        show_happening(Console(width=200), received)
    shown = capsys.readouterr().out
    for said in ("text: By midnight", "line: She burns", f"release: {HID.hex()} to bravo", "by when: 20"):
        assert said in shown


def test_the_command_line_knows_every_danger() -> None:
    assert get_args(Danger) == DANGER_WORDS


def test_an_act_has_the_name_of_its_verb() -> None:
    assert ("recall", "answer") == (act_name(Recall(HID, "x")), act_name(Answer(HID, "", "", ())))


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A region whose node of mys-mar has run once, and holds nothing."""
    folder = quick_region(tmp_path_factory.mktemp("desk"))
    NodeStore.open(folder / "nodes" / "mys-mar" / "node.sqlite", agency="mys-mar").close()
    return folder


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("read", "abcdef"), (Exit.INPUT, "holds no message that begins with abcdef")),
        (("sign", "abc"), (Exit.INPUT, "no beginning of a message's id")),
        (("recall", "abcdef"), (Exit.USAGE, "--why")),
        (("recall", "abcdef", "--why", " "), (Exit.USAGE, "give 1 to 1000 characters")),
        (("ask", "idn-mar", "--subject", "x", "--question", "y", "--why", "z"), (Exit.USAGE, "--tlp and --topic")),
        (("deconflict", "idn-mar", "--about", "plate", "--subject", "x"), (Exit.USAGE, "is no kind and value")),
        (("deconflict", "idn-mra", "--about", "plate A1", "--subject", "x"), (Exit.USAGE, "did you mean idn-mar")),
        (("task", "idn-mar", "--subject", "x", "--within", "soon"), (Exit.USAGE, "is no duration")),
        (("task", "idn-mar", "--subject", "x", "--affected", "XYZ"), (Exit.USAGE, "is no state")),
        (("propose", "{file}", "--cosigners", "idn-mar", "--needed", "2"), (Exit.USAGE, "2 of 1 co-signers")),
        (("propose", "none.yaml", "--cosigners", "idn-mar"), (Exit.INPUT, "cannot be read")),
        (("decide", "abcdef", "perhaps", "--why", "x"), (Exit.USAGE, "grant, refuse")),
        (("sing", "abcdef"), (Exit.USAGE, "did you mean sign")),
    ],
)
def test_what_cannot_be_meant_says_why_and_nothing_is_handed_over(
    words: tuple[str, ...], refusal: tuple[Exit, str], region: Path, tmp_path: Path
) -> None:
    file = tmp_path / "report.yaml"
    file.write_text("{title: x, tlp: GREEN, level: EX-UNCLAS, topic: toc.piracy, text: y}\n")
    run = at_once("desk", region, "mys-mar", *(word.format(file=file) for word in words))

    assert refusal[0] == run.returncode, run.stderr
    assert refusal[1] in run.stderr
    assert [] == list((region / "nodes" / "mys-mar" / "outgoing").iterdir())


def test_a_desk_of_nothing_says_so(region: Path) -> None:
    shown = at_once("desk", region, "mys-mar", "inbox")

    assert Exit.OK == shown.returncode
    assert ["waits for this desk", "  nothing", "held", "  nothing"] == shown.stdout.splitlines()
