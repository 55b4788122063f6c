"""The register of requirements: what its lint refuses, and that the specification says what the code has."""

import re
from pathlib import Path
from typing import get_args

import pytest

from conformance import requirements
from conformance.requirements import SPEC_FOLDER, check, keep_history, main, read_page, read_register, read_spec, write
from policy.caveats import CAVEATS_WITH_OPERAND, PLAIN_CAVEATS
from schemas import limits
from schemas.bundle import Bundle, PredicateName
from schemas.envelope import KINDS, Envelope, Header, Wrap
from schemas.errors import STAGE_OF, Code, InputError, Stage
from schemas.frames import DOWN_SHAPES, UP_SHAPES, RouterVerdict
from schemas.label import Label
from schemas.workflow import ReceiptStatus
from sealing import primitives

HEAD = "# Page\n\n## Part\n\n*Applies to: C1 receiver*\n\n"


def page(*lines: str) -> str:
    return HEAD + "\n".join(lines) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a specification of one page with two requirements, and its register."""
    (tmp_path / "page.md").write_text(
        page("- [ENV-new] A receiver MUST refuse `x`.", "- [ENV-new] It SHOULD say why. {C2 sender, recall}")
    )
    write(tmp_path)
    return tmp_path


def test_the_specification_of_the_project_is_clean_and_registered() -> None:
    """What ``--check`` does in the gate: tagged, numbered once, and the register not stale."""
    registered = check(SPEC_FOLDER)

    assert len(registered) >= 300
    assert {"C1", "C2", "C3", "C4"} == {name for item in registered for name in item.scope.classes}


def test_new_bullets_get_the_next_numbers_of_their_area(folder: Path) -> None:
    with (folder / "page.md").open("a") as file:
        file.write("- [KEY-new] A key MUST be one.\n- [ENV-new] A third MAY follow.\n")

    assert ["ENV-001", "ENV-002", "ENV-003", "KEY-001"] == [item.id for item in write(folder)]


def test_scope_comes_from_the_section_and_braces_change_it(folder: Path) -> None:
    first, second = read_register(folder / "requirements.json")

    assert (("C1",), "receiver", "core", "MUST") == (
        first.scope.classes, first.scope.role, first.scope.feature, first.level,
    )  # fmt: skip
    assert (("C2",), "sender", "recall", "SHOULD") == (
        second.scope.classes, second.scope.role, second.scope.feature, second.level,
    )  # fmt: skip
    assert "page.md#part" == first.anchor


def test_what_cannot_be_tested_says_why() -> None:
    (found,) = read_page("p.md", page("- [ENV-001] It MUST erase it. {untestable: nobody can see it}"))

    assert "no (nobody can see it)" == found.scope.testable


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("A receiver MUST refuse it.", "outside a requirement"),
        ("Readers SHOULD beware.", "outside a requirement"),
        ("See [ENV-001] for it.", "outside a requirement"),
        ("- [ENV-001] A receiver refuses it.", "not one sentence"),
        ("- [ENV-001] A receiver MUST refuse it and MUST say so.", "not one sentence"),
        ("- [ENV-001] A receiver MUST refuse it. It says so.", "not one sentence"),
        ("- [ENV-001] A receiver MUST refuse it", "not one sentence"),
        ("- [ENV-001] A receiver SHALL refuse it.", "not one sentence"),
        ("- [ENV-001] A receiver MUST refuse it. {C9}", "scope"),
        ("- [ENV-001] A receiver MUST refuse it. {C1 sender receiver}", "scope"),
        ("- [XYZ-001] A receiver MUST refuse it.", "outside a requirement"),
    ],
)
def test_what_breaks_the_grammar_is_refused_with_its_line(line: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        list(read_page("p.md", page(line)))

    assert "p.md, line 7" in str(caught.value)


def test_key_words_in_code_are_free() -> None:
    assert [] == list(read_page("p.md", page("The words `MUST` and `MAY`.", "```", "MUST", "```")))


def test_a_requirement_before_any_scope_is_refused() -> None:
    with pytest.raises(InputError, match="before any scope"):
        list(read_page("p.md", "- [ENV-001] It MUST be.\n"))


def test_an_id_that_stands_twice_is_refused(folder: Path) -> None:
    (folder / "other.md").write_text(page("- [ENV-001] Another MUST be."))

    with pytest.raises(InputError, match="stands twice"):
        read_spec(folder)


def test_an_id_that_is_gone_is_refused(folder: Path) -> None:
    (folder / "page.md").write_text(page("- [ENV-001] A receiver MUST refuse `x`."))

    with pytest.raises(InputError, match="ENV-002 is gone"):
        write(folder)


def test_a_withdrawn_id_stays_and_never_comes_back(folder: Path) -> None:
    """Somebody else's report may name it."""
    text = (folder / "page.md").read_text()
    (folder / "page.md").write_text(text.replace("It SHOULD say why.", "WITHDRAWN in 1.1."))
    assert ["MUST", "WITHDRAWN"] == [item.level for item in write(folder)]

    (folder / "page.md").write_text(text)
    with pytest.raises(InputError, match="was withdrawn and is used again"):
        write(folder)


def test_a_stale_register_is_refused(folder: Path) -> None:
    text = (folder / "page.md").read_text()
    (folder / "page.md").write_text(text.replace("`x`", "`y`"))

    with pytest.raises(InputError, match="is not what the pages say"):
        check(folder)


def test_since_stays_what_it_was(folder: Path) -> None:
    before = read_register(folder / "requirements.json")
    later = [type(item)(**{name: getattr(item, name) for name in item.__slots__}) for item in before]

    assert before == keep_history(later, before)


def test_bullets_without_a_number_fail_the_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "page.md").open("a") as file:
        file.write("- [ENV-new] A third MAY follow.\n")

    assert 1 == main(["--check", "--folder", str(folder)])
    assert "--write" in capsys.readouterr().err
    assert 0 == main(["--write", "--folder", str(folder)])
    assert "1 MUST, 1 SHOULD, 1 MAY" in capsys.readouterr().out


def test_a_missing_register_says_how_to_make_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == main(["--folder", str(tmp_path)])
    assert "--write" in capsys.readouterr().err


# The pages against the code.


def spec(name: str) -> str:
    return (SPEC_FOLDER / name).read_text(encoding="utf-8")


def test_the_codes_of_the_specification_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `([a-z]+)` \| ((?:`[A-Z0-9_]+` ?)+)\|$", spec("envelope.md"), re.MULTILINE)

    told = {Code(code): Stage(stage) for stage, codes in rows for code in re.findall(r"`([A-Z0-9_]+)`", codes)}
    assert STAGE_OF == told
    assert list(Stage) == [Stage(stage) for stage, _ in rows]


def test_the_limits_of_the_specification_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| ([A-Z_]+) \| ([\d,]+) \|", spec("envelope.md"), re.MULTILINE)

    assert len(rows) > 20
    assert {name: getattr(limits, name) for name, _ in rows} == {
        name: int(value.replace(",", "")) for name, value in rows
    }


def test_every_constant_that_the_pages_name_is_in_the_table() -> None:
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", "".join(spec(f"{name}.md") for name in ("wire", "router"))))

    assert set() == {name for name in named - set(Code) if name not in spec("envelope.md")}


def test_persons_and_purposes_of_the_specification_are_those_of_the_code() -> None:
    told = set(re.findall(r"^\| `(sw1 [a-z]+)` \|", spec("envelope.md"), re.MULTILINE))
    used = {
        value.rstrip(b"\0").decode()
        for name, value in vars(primitives).items()
        if name.startswith(("PERSON_", "SIGN_"))
    }

    assert used == told


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (Header._fields, "envelope.md"),
        (Envelope._fields, "envelope.md"),
        (Wrap._fields, "envelope.md"),
        (Label._fields, "need-to-know.md"),
        (Bundle._fields, "need-to-know.md"),
        (RouterVerdict._fields, "wire.md"),
    ],
)
def test_arrays_of_the_specification_have_the_fields_of_the_code(fields: tuple[str, ...], name: str) -> None:
    assert f"[{', '.join(fields)}]" in spec(name)


def test_words_of_the_specification_are_those_of_the_code() -> None:
    assert [f"`{kind}`" for kind in KINDS] == re.findall(
        r"`[a-z]+`", spec("envelope.md").split("| `kind` | text |")[1].split("|")[0]
    )
    assert set(get_args(ReceiptStatus)) <= set(re.findall(r"`([a-z]+)`", spec("envelope.md")))
    caveats = re.findall(r"^\| `([A-Z-]+)(:<[a-z]+>)?` \|", spec("need-to-know.md"), re.MULTILINE)
    assert PLAIN_CAVEATS | CAVEATS_WITH_OPERAND == {name for name, _ in caveats}
    assert CAVEATS_WITH_OPERAND == {name for name, operand in caveats if operand}
    rules = spec("need-to-know.md").split("## Community routing rules")[1].split("## ")[0]
    assert set(get_args(PredicateName)) <= set(re.findall(r"`([a-z]+)`", rules))


def test_messages_of_the_specification_are_those_of_the_code() -> None:
    up, down = re.findall(r"\| (?:up|down) \| fields after the type \|\n\|---\|---\|\n((?:\|.*\n)+)", spec("wire.md"))
    for table, shapes in ((up, UP_SHAPES), (down, DOWN_SHAPES)):
        rows = dict(re.findall(r"\| `([a-z]+)` \| (.*) \|", table))
        assert {kind: ", ".join(shape._fields[1:]) for kind, shape in shapes.items()} == rows


def test_the_area_of_each_id_is_named_on_the_first_page() -> None:
    assert all(area in spec("README.md") for area in requirements.AREAS)
