"""The adversary's part of a pack, and the line that it holds."""

from pathlib import Path

import pytest

from scenarios.lint import lint_path
from scenarios.red.line import Line
from schemas.frames import Ack, Delivery, Hello, Resume, read_down_frame, read_up_frame, write_frame

PACK = Path(__file__).parents[1] / "packs" / "red-cell.yaml"


def with_act(folder: Path, act: str) -> Path:
    """Write the pack with one act alone."""
    text = PACK.read_text(encoding="utf-8")
    before, _, rest = text.partition("\nred:\n")
    objectives = rest.partition("\nobjectives:\n")[2].replace("[A3, A4, A5]", "[]")
    path = folder / "pack.yaml"
    path.write_text(f"{before}\nred:\n  - {act}\nobjectives:\n{objectives}", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("{id: A1, do: flood}", "has neither 'at' nor 'when'"),
        ("{id: A1, at: T+1h}", "has no 'do'"),
        ("{id: A1, do: floods, at: T+1h}", "did you mean 'flood'"),
        ("{id: A1, do: flood, at: T+1h, when: {report_sent: {who: mys-cert}}, within: 5m after E1}", "'at' and 'when'"),
        ("{id: A1, do: flood, when: {report_sent: {who: mys-cert}}}", "has no 'within'"),
        ("{id: A1, do: flood, at: T+1h, within: 5m after E1}", "'within' means nothing without 'when'"),
        ("{id: A1, do: flood, at: T+1h, victim: mys-cert}", "'victim' means nothing where red is to flood"),
        ("{id: A1, do: flood, at: T+1h, messages: 0}", "1 to 200000 are allowed"),
        ("{id: A1, do: flood, at: T+1h, noticed_by: [routr]}", "did you mean 'router'"),
        ("{id: A1, do: flood, at: T-1h}", "lies before STARTEX"),
        ("{id: A1, do: replay, at: T+1h}", "has no 'victim'"),
        ("{id: A1, do: copied-header, at: T+1h, victim: mys-cert}", "has no 'message'"),
        ("{id: A1, do: flood, at: T+1h, who: ex-blue}", "'ex-blue' is no participant"),
    ],
)
def test_a_slip_in_an_act_is_named(act: str, said: str, tmp_path: Path) -> None:
    found = lint_path(with_act(tmp_path, act))
    errors = [finding.text for finding in found if finding.level == "error"]

    assert any(said in error for error in errors), errors


def test_an_act_after_endex_is_found_by_lint(tmp_path: Path) -> None:
    found = lint_path(with_act(tmp_path, "{id: A1, do: flood, at: T+6h}"))

    assert "red-after-endex" in {finding.code for finding in found}


def test_what_is_slipped_into_a_line_leaves_router_and_node_with_numbers_of_their_own() -> None:
    """Deliveries have no gaps: without the renumbering the next true one would be taken for one that was seen."""
    line = Line("sgp-cert", now_ms=lambda: 0)
    line.down(write_frame((Resume("resume", 4),)))
    passed = [
        line.down(write_frame((Delivery("delivery", 4, b""),))),
        line.slip(b"false"),
        line.down(write_frame((Delivery("delivery", 5, b""),))),
    ]
    deliveries = [message for frame in passed for message in read_down_frame(frame) if isinstance(message, Delivery)]

    assert [(4, b""), (5, b"false"), (6, b"")] == [(each.dseq, each.envelope) for each in deliveries]
    answered = read_up_frame(line.up(write_frame((Ack("ack", 6), Hello("hello", 5, 1)))))
    assert (Ack("ack", 5), Hello("hello", 4, 1)) == answered


def test_a_line_on_which_nothing_is_done_passes_every_byte() -> None:
    line = Line("sgp-cert", now_ms=lambda: 0)
    for frame in (write_frame((Delivery("delivery", 1, b""),)), b"no frame at all"):
        assert frame == line.down(frame)
    for frame in (write_frame((Ack("ack", 1),)), b"no frame at all"):
        assert frame == line.up(frame)
