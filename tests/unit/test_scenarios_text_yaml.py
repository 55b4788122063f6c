"""Text-first YAML: scalars stay text, places are kept, and what packs do not need is refused."""

import pytest

from scenarios.problems import FILE_BYTES_MAX, Mark, PackTextError
from scenarios.text_yaml import DEPTH_MAX, ListNode, MapNode, Node, TextNode, decode_text, read_yaml, shorten


def value_of(node: Node | None, key: str) -> Node:
    assert isinstance(node, MapNode)
    return next(value for name, value in node.entries if name.value == key)


@pytest.mark.parametrize("written", ["1.10", "no", "10:30", "0x1F", "null", "~", "2027-03-14", "1e3", "012", "True"])
def test_a_scalar_stays_as_written(written: str) -> None:
    """Plain YAML would make 1.1, False, 630, 31 and None of these."""
    node = value_of(read_yaml(f"key: {written}\n", "a.yaml"), "key")

    assert isinstance(node, TextNode)
    assert written == node.value


def test_every_node_knows_its_file_line_and_column() -> None:
    node = read_yaml("first: 1\nsecond:\n  - one\n  - [two, three]\n", "msel.yaml")

    second = value_of(node, "second")
    assert isinstance(second, ListNode)
    inner = second.items[1]
    assert isinstance(inner, ListNode)
    assert Mark("msel.yaml", 4, 5) == inner.mark
    assert Mark("msel.yaml", 4, 11) == inner.items[1].mark


def test_a_header_inside_a_file_keeps_the_lines_of_the_file() -> None:
    node = read_yaml("label: x\n", "content/E01.md", first_line=12)

    assert Mark("content/E01.md", 12, 8) == value_of(node, "label").mark


@pytest.mark.parametrize("text", ["", "# only a remark\n", "---\n", "\n\n"])
def test_an_empty_document_holds_nothing(text: str) -> None:
    assert read_yaml(text, "a.yaml") is None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "stands twice; the first is on line 1"),
        ("a: &x [1]\nb: 2\n", 1, "anchor"),
        ("a: 1\nb: *x\n", 2, "alias"),
        ("a: !!python/object:os.system x\n", 1, "tag"),
        ("a: !local x\n", 1, "tag"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: [1, 2\nb: 3\n", 2, "not YAML"),
        ("? [1, 2]\n: 3\n", 1, "a key must be plain text"),
        ("rel: [@asean]\n", 1, "not YAML"),
        ("a:\tb: c\n", 1, "not YAML"),
        ("a: \x07\n", 1, "character"),
    ],
)
def test_what_a_pack_does_not_need_is_refused_at_its_place(text: str, line: int, words: str) -> None:
    with pytest.raises(PackTextError, match=words) as caught:
        read_yaml(text, "a.yaml")

    assert line == caught.value.problem.mark.line
    assert caught.value.remedy


def test_an_at_sign_is_answered_with_what_to_write() -> None:
    """A group begins with '@', which YAML reserves: the commonest slip of all."""
    with pytest.raises(PackTextError) as caught:
        read_yaml("rel: [@asean]\n", "a.yaml")

    assert "'@asean'" in caught.value.remedy


def test_nesting_is_refused_just_above_its_bound() -> None:
    read_yaml("[" * DEPTH_MAX + "]" * DEPTH_MAX, "a.yaml")

    with pytest.raises(PackTextError, match="nested more than 32"):
        read_yaml("[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1), "a.yaml")


def test_a_deep_bomb_is_refused_before_it_is_walked() -> None:
    """A hundred thousand brackets must neither exhaust the stack nor take time."""
    with pytest.raises(PackTextError, match="nested more than 32"):
        read_yaml("[" * 100_000, "a.yaml")


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{name}: &{name} [*{before}, *{before}]\n" for before, name in zip("abc", "bcd", strict=True)
    )

    with pytest.raises(PackTextError, match="anchor"):
        read_yaml(bomb, "a.yaml")


def test_a_file_is_decoded_up_to_its_bound_only() -> None:
    assert len(decode_text(b"x" * FILE_BYTES_MAX, "a.yaml")) == FILE_BYTES_MAX

    with pytest.raises(PackTextError, match="at most 1,048,576"):
        decode_text(b"x" * (FILE_BYTES_MAX + 1), "a.yaml")


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    with pytest.raises(PackTextError, match="UTF-8") as caught:
        decode_text(b"a: 1\nb: \xff\xfe\n", "a.yaml")

    assert caught.value.problem.mark.line == 2


def test_a_byte_order_mark_and_foreign_line_ends_are_harmless() -> None:
    """Spreadsheet programs write both."""
    assert decode_text(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "a.yaml") == "a: 1\nb: 2\n"


def test_a_message_shows_no_control_characters_and_no_long_text() -> None:
    assert shorten("a\x1b[31mb") == "a?[31mb"
    assert len(shorten("x" * 500)) == 60
