"""People at three nodes of real processes: one ORCON, one recall, one joint product and one question, by commands."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from console.exits import Exit
from tests.samples.command_line import at_once
from tests.samples.crash_lives import CrashRegion, crash_region, wait_for

COAST, CENTRE, ISLAND = "mys-mar", "rb-ifc", "idn-mar"
TEXT: Final = "The skiff has a blue stern."
REPORT: Final = f"""\
title: {{title}}
tlp: GREEN
level: EX-UNCLAS
topic: toc.robbery-at-sea
affected: [IDN, MYS]
caveats: [{{caveats}}]
text: {TEXT}
indicators: [{{{{kind: vessel-name, value: Bunga Melati 7}}}}]
"""


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashRegion]:
    with crash_region(tmp_path_factory.mktemp("desk") / "region") as made:
        made.start_all()
        yield made


def desk(region: CrashRegion, agency: str, *words: str | Path, code: Exit = Exit.OK) -> dict[str, Any]:
    """Sit down at a desk and return what the command says."""
    waiting = () if words[0] in {"inbox", "read", "recall-state"} else ("--wait", "60s")
    said = at_once("desk", region.folder, agency, *words, *waiting, "--json")
    assert code == said.returncode, said.stdout + said.stderr
    document: dict[str, Any] = json.loads(said.stdout)
    return document


def found(region: CrashRegion, agency: str, place: str, **fields: str) -> str:
    """Wait until an inbox lists something with these fields, and return the beginning of its id."""

    def look() -> str | None:
        items = desk(region, agency, "inbox", "--all")[place]
        return next((item["hid"] for item in items if fields.items() <= item.items()), None)

    return wait_for(look, f"{fields} at {agency}")[:8]


def until(look: Callable[[], bool], what: str) -> None:
    wait_for(lambda: look() or None, what)


def write(folder: Path, title: str, *, caveats: str = "") -> Path:
    path = folder / f"{title.replace(' ', '-')}.yaml"
    path.write_text(REPORT.format(title=title, caveats=caveats))
    return path


def send(region: CrashRegion, agency: str, file: Path, *to: str) -> None:
    said = at_once("send", region.folder, agency, file, *(word for name in to for word in ("--to", name)))
    assert 0 == said.returncode, said.stderr


def test_a_report_under_orcon_goes_on_by_consent_alone_and_comes_back_from_everywhere(
    region: CrashRegion, tmp_path: Path
) -> None:
    send(region, COAST, write(tmp_path, "Barge robbed", caveats="ORCON"), CENTRE)
    hid = found(region, CENTRE, "held", title="Barge robbed")

    denied = desk(region, CENTRE, "forward", hid, "--to", ISLAND, "--why", "They fled south", code=Exit.NO)
    assert {ISLAND: "NTK-ORCON"} == denied["left_out"]

    asked = ("--for", ISLAND, "--why", "They fled into its waters", "--within", "2h")
    desk(region, CENTRE, "request", hid, *asked)
    request = found(region, COAST, "waiting", what="decide", subject="Barge robbed")
    granted = ("--expires", "48h", "--conditions", "For the search alone", "--why", "It is their search now")
    desk(region, COAST, "decide", request, "grant", *granted)
    assert hid == found(region, ISLAND, "held", title="Barge robbed")
    (portion,) = desk(region, ISLAND, "read", hid)["portions"]
    assert TEXT == portion["text"]
    assert portion["grant_ends_ms"] > 0

    found(region, CENTRE, "held", kind="decision")
    passed_on = desk(region, CENTRE, "forward", hid, "--to", ISLAND, "--why", "With what we know")
    product = passed_on["hids"][0]
    found(region, ISLAND, "held", originator=CENTRE, title="Barge robbed")
    (parent,) = desk(region, ISLAND, "read", product)["portions"][0]["parents"]
    assert (True, f"held, of {COAST}") == (parent["hid"].startswith(hid), parent["state"])

    until(lambda: [] == desk(region, COAST, "inbox")["awaited"], "verdict on all of it")
    desk(region, COAST, "recall", hid, "--why", "It was another barge")

    def answers() -> dict[str, tuple[str, list[str]]]:
        state = desk(region, COAST, "recall-state", hid)["readers"]
        return {item["agency"]: (item["answer"], item["used_in"]) for item in state}

    erased = {CENTRE: ("purged", [product]), ISLAND: ("purged", [])}
    until(lambda: answers() == erased, "answers to the recall")
    assert [] == desk(region, ISLAND, "read", hid, code=Exit.NO)["portions"]
    # What was made of it is the centre's own to take back, and its desk is told.
    assert product[:8] == found(region, CENTRE, "waiting", what="recall")


def test_a_joint_product_goes_out_by_itself_when_enough_have_signed(region: CrashRegion, tmp_path: Path) -> None:
    file = write(tmp_path, "Joint picture")
    send(region, ISLAND, write(tmp_path, "Seen off the islands"), CENTRE)
    part = found(region, CENTRE, "held", title="Seen off the islands")
    shown = desk(
        region, CENTRE, "propose", file, "--include", part, "--cosigners", f"{COAST},{ISLAND}", "--needed", "2"
    )
    hid = shown["hids"][0][:8]
    assert "2 of 2" not in str(desk(region, CENTRE, "inbox")["awaited"])

    for agency in (COAST, ISLAND):
        assert hid == found(region, agency, "waiting", what="sign")
        desk(region, agency, "sign", hid)
    until(lambda: {COAST, ISLAND} == {*desk(region, COAST, "read", hid)["cosigned"]}, "both signatures")

    again = desk(region, COAST, "sign", hid, code=Exit.NO)
    assert "cannot be signed now" in again["outcome"]
    desk(region, ISLAND, "withdraw", hid, "--why", "The second part is wrong")
    until(lambda: "recalled" == at_desk(region, COAST, hid)["state"], "recall of the product")
    assert hid != found(region, COAST, "waiting", what="sign")


def at_desk(region: CrashRegion, agency: str, hid: str) -> dict[str, Any]:
    """Read a message that may be gone by now."""
    said = at_once("desk", region.folder, agency, "read", hid, "--json")
    document: dict[str, Any] = json.loads(said.stdout)
    return document


def test_questions_are_asked_answered_and_compared(region: CrashRegion, tmp_path: Path) -> None:
    label = ("--tlp", "GREEN", "--topic", "toc.robbery-at-sea", "--level", "EX-UNCLAS", "--affected", "IDN,MYS")
    words = ("--subject", "Blue sterns", "--question", "Who has one?", "--why", "For a patrol", "--within", "2h")
    desk(region, COAST, "ask", ISLAND, *label, *words)
    asked = found(region, ISLAND, "waiting", what="answer", subject="Blue sterns")
    desk(region, ISLAND, "answer", asked, write(tmp_path, "One blue stern"))
    found(region, COAST, "held", kind="answer", title="One blue stern")

    desk(region, COAST, "deconflict", ISLAND, "--about", "vessel-name Bunga Melati 7", "--subject", "Boarding")
    compared = found(region, ISLAND, "waiting", what="answer", kind="deconflict")
    desk(region, ISLAND, "answer", compared, "--holding", "vessel-name BUNGA MELATI-7")
    hit = region.lives[COAST]
    until(lambda: any(event.get("outcome") == "hit" for event in hit.events()), "hit")

    desk(region, COAST, "task", ISLAND, "--subject", "Clear the way", "--within", "2h")
    task = found(region, ISLAND, "waiting", kind="task")
    desk(region, ISLAND, "accept", task)
    desk(region, ISLAND, "done", task)
    until(lambda: not desk(region, COAST, "inbox")["awaited"], "end of the task")


def test_what_is_handed_over_is_private_and_says_so_when_no_node_runs(region: CrashRegion, tmp_path: Path) -> None:
    """The node of the port operator has never run, so there is nothing that its desk could name."""
    never = at_once("desk", region.folder, "in-port", "inbox")
    assert Exit.STORE == never.returncode
    assert "has not run yet" in never.stderr

    assert 0 == region.lives.pop(CENTRE).end()
    words = ("offer", COAST, "--subject", "A boat", "--json")
    laid = json.loads(at_once("desk", region.folder, CENTRE, *words).stdout)
    assert laid["outcome"] is None
    assert 0o600 == stat.S_IMODE(Path(laid["file"]).stat().st_mode)
    assert 1 == desk(region, CENTRE, "inbox")["handed_over"]
    waiting, junk = Path(laid["file"]), Path(laid["file"]).with_name("0.act")
    kept = waiting.read_bytes()
    junk.write_bytes(kept[:-1])
    region.start(CENTRE)
    found(region, COAST, "waiting", kind="offer", subject="A boat")
    until(lambda: ["0.refused"] == desk(region, CENTRE, "inbox")["set_aside"], "refusal of what is no act")

    # The same file once more is what a node finds that was killed before it could take it away.
    assert 0 == region.lives.pop(CENTRE).end()
    waiting.write_bytes(kept)
    region.start(CENTRE)
    until(lambda: not waiting.exists(), "second look at the file")
    assert 1 == len([item for item in desk(region, CENTRE, "inbox")["awaited"] if item["subject"] == "A boat"])
