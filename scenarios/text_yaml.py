"""Strict, text-first YAML: every scalar stays the text that the planner wrote, with the place where it stands.

Plain YAML turns ``1.10`` into 1.1, ``no`` into false and ``10:30`` into 630; here the field that a scalar fills
decides what it means (scenarios/fields.py). What a planner has no use for and an attacker has (anchors, aliases, tags,
several documents, deep nesting) is refused while the parser still walks, so nothing is ever expanded.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import yaml

from scenarios.problems import FILE_BYTES_MAX, Mark, PackTextError

DEPTH_MAX: Final = 32  # a pack needs about eight; PyYAML itself would go on until the stack ends
NODES_MAX: Final = 100_000  # a MSEL of 1,000 rows takes about 30,000
_SIMPLE_KEY_CHARS: Final = 60  # how much of a scalar an error message shows


@dataclass(frozen=True, slots=True)
class TextNode:
    """A scalar, as text."""

    value: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class ListNode:
    """A sequence."""

    items: tuple["Node", ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping with text keys, in written order, each key once."""

    entries: tuple[tuple[TextNode, "Node"], ...]
    mark: Mark


Node: TypeAlias = TextNode | ListNode | MapNode


class _OpenNode:
    """A list or mapping whose end has not been read yet."""

    def __init__(self, mark: Mark, *, is_map: bool) -> None:
        self.mark = mark
        self.is_map = is_map
        self.items: list[Node] = []
        self.keys: dict[str, TextNode] = {}
        self.waiting_key: TextNode | None = None
        self.entries: list[tuple[TextNode, Node]] = []

    def take(self, node: Node) -> None:
        """Take the next child: an item, a key, or the value of the waiting key."""
        if not self.is_map:
            self.items.append(node)
        elif self.waiting_key is None:
            if not isinstance(node, TextNode):
                msg = "a key must be plain text, not a list or a mapping"
                raise PackTextError(node.mark, msg, "look for a stray '?', '{' or '[' here")
            if node.value in self.keys:
                first = self.keys[node.value].mark.line
                msg = f"the key '{shorten(node.value)}' stands twice; the first is on line {first}"
                raise PackTextError(node.mark, msg, "remove one of the two")
            self.keys[node.value] = node
            self.waiting_key = node
        else:
            self.entries.append((self.waiting_key, node))
            self.waiting_key = None

    def close(self) -> Node:
        """Return the finished node."""
        return MapNode(tuple(self.entries), self.mark) if self.is_map else ListNode(tuple(self.items), self.mark)


def shorten(text: str) -> str:
    """Return the text fit for one line of a message: no control characters, not too long."""
    line = "".join(char if char.isprintable() else "?" for char in text)
    return line if len(line) <= _SIMPLE_KEY_CHARS else line[: _SIMPLE_KEY_CHARS - 1] + "…"


def decode_text(raw: bytes, file: str) -> str:
    """Decode a file of a pack.

    Raises:
        PackTextError: If it is larger than the bound, or not UTF-8.
    """
    if len(raw) > FILE_BYTES_MAX:
        msg = f"the file has {len(raw):,} bytes; at most {FILE_BYTES_MAX:,} are read"
        raise PackTextError(Mark(file, 1, 1), msg, "split it into several files of the same part")
    try:
        # "utf-8-sig" since spreadsheet programs write a byte order mark.
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        msg = "this is not UTF-8 text"
        raise PackTextError(Mark(file, line, 1), msg, "save the file again as UTF-8") from error
    return text.replace("\r\n", "\n")


def read_yaml(text: str, file: str, *, first_line: int = 1) -> Node | None:
    """Read one document of text-first YAML; None if it holds nothing.

    Args:
        text: The document.
        file: Its path inside the pack, for the marks.
        first_line: The line of ``file`` on which ``text`` begins (a header inside a content file).

    Raises:
        PackTextError: If it is not YAML, or uses what packs do not need; names the place.
    """
    try:
        return _build(text, file, first_line - 1)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        mark = Mark(file, first_line, 1) if at is None else Mark(file, at.line + first_line, at.column + 1)
        msg = f"this is not YAML: {error.problem or error.context}"
        raise PackTextError(mark, msg, _remedy(error.problem or "")) from error
    except yaml.YAMLError as error:
        msg = "the file holds a character that YAML does not allow"
        raise PackTextError(
            Mark(file, first_line, 1), msg, "save it as plain UTF-8 text without control characters"
        ) from error


def _remedy(problem: str) -> str:
    """Say what usually lies behind a message of the YAML parser."""
    if "cannot start any token" in problem:
        return "put the text between quotation marks, for example '@asean'; use spaces, not tabs, to indent"
    if "mapping values are not allowed" in problem:
        return "a text with ': ' in it needs quotation marks"
    return "check indentation, brackets and quotation marks on this line and the one before"


class _Builder:
    """Builds nodes from the parser's events; the stack of open nodes is ours, so depth costs no recursion."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[_OpenNode] = []
        self._documents = 0
        self._nodes = 0

    def take(self, event: yaml.Event, mark: Mark) -> None:
        """Take the next event."""
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise PackTextError(mark, "a second document begins here", "keep one document a file; remove '---'")
            case yaml.NodeEvent():
                self._nodes += 1
                if self._nodes > NODES_MAX:
                    raise PackTextError(mark, f"the file holds more than {NODES_MAX:,} items", "split it into two")
                _refuse_machinery(event, mark)
                self._begin(event, mark)
            case yaml.CollectionEndEvent():
                self._finish(self._open.pop().close())

    def _begin(self, event: yaml.NodeEvent, mark: Mark) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._finish(TextNode(event.value, mark))
            return
        if len(self._open) >= DEPTH_MAX:
            raise PackTextError(mark, f"nested more than {DEPTH_MAX} deep", "a pack never needs this; flatten it")
        self._open.append(_OpenNode(mark, is_map=isinstance(event, yaml.MappingStartEvent)))

    def _finish(self, node: Node) -> None:
        if self._open:
            self._open[-1].take(node)
        else:
            self.root = node


def _build(text: str, file: str, line_offset: int) -> Node | None:
    builder = _Builder()
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        start = event.start_mark
        line, column = (0, 0) if start is None else (start.line, start.column)
        builder.take(event, Mark(file, line + 1 + line_offset, column + 1))
    root = builder.root
    # An empty document is one empty plain scalar to the parser.
    return None if isinstance(root, TextNode) and not root.value else root


def _refuse_machinery(event: yaml.NodeEvent, mark: Mark) -> None:
    """Refuse anchors, aliases and tags: 271 bytes of aliases expand to 9^8 leaves."""
    if isinstance(event, yaml.AliasEvent):
        raise PackTextError(mark, "an alias ('*name') is not allowed in a pack", "write the text out")
    if event.anchor is not None:
        raise PackTextError(
            mark, "an anchor ('&name') is not allowed in a pack", "remove it; quote a text that begins with '&'"
        )
    if getattr(event, "tag", None) is not None:
        raise PackTextError(
            mark, "a tag ('!name') is not allowed in a pack", "remove it; quote a text that begins with '!'"
        )
