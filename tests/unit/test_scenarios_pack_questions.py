"""What a planner may write about questions, and what the loader says to a slip."""

from pathlib import Path

import pytest

from scenarios.catalogue import find_pack
from scenarios.lint import lint_path
from scenarios.pack import load_pack

PACK = find_pack("crossed-wakes")


def slips(folder: Path, before: str, after: str) -> list[str]:
    """Load the pack with one text replaced by another, and return what is wrong with it."""
    for path in PACK.rglob("*.*"):
        target = folder / path.relative_to(PACK)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    text = (folder / "pack.yaml").read_text(encoding="utf-8")
    assert before in text
    (folder / "pack.yaml").write_text(text.replace(before, after, 1), encoding="utf-8")
    return [f"{finding.code}: {finding.text}" for finding in lint_path(folder) if finding.level == "error"]


def test_an_order_keeps_question_identifiers_and_step() -> None:
    orders = {order.order: order for order in load_pack(PACK).orders}

    assert (("vessel-name", "Bunga Melati 7"),) == orders["S01"].about
    assert ("task", "We wait. Tell us when it is free; we do not ask why.") == (
        orders["S04"].step, orders["S04"].question,
    )  # fmt: skip
    assert "What is the draught of tugs of 20 to 30 metres on your register?" == orders["S11"].question


@pytest.mark.parametrize(
    ("before", "after", "code", "says"),
    [
        ("    about: [vessel-name Bunga Melati 7]\n", "", "missing", "has no 'about'"),
        ("[vessel-name Bunga Melati 7]", "[vessel-name]", "value", "'vessel-name' is no kind and value"),
        ("[vessel-name Bunga Melati 7]", f"[{', '.join(f'plate B {n}' for n in range(17))}]", "limit", "more than 16"),
        ("    to: [sgp-pol, idn-mar]\n", "    to: need-to-know\n", "value", "asks nobody by name"),
        ("    label: open\n    subject: Tugs off", "    subject: Tugs off", "missing", "has no 'label'"),
        ("    question: Which tugs were", "    conditions: Which tugs were", "missing", "has no 'question'"),
        ("    step: accept\n", "    step: perhaps\n", "unknown-id", "'perhaps' is no step of a coordination"),
        ("    step: accept\n", "", "missing", "has no 'step'"),
        (
            "    do: hold\n    why: Now",
            "    do: hold\n    step: done\n    why: Now",
            "idle-field",
            "'step' means nothing",
        ),
        ("step: done}}", "step: finished}}", "unknown-id", "'finished' is no step of a coordination"),
    ],
)
def test_a_slip_is_named(tmp_path: Path, before: str, after: str, code: str, says: str) -> None:
    found = slips(tmp_path, before, after)

    assert any(item.startswith(code) and says in item for item in found), found
