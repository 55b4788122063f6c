"""The fields of a mapping in a pack, read one by one; what a scalar means is decided by the field it fills.

A reader that meets a slip notes it and answers with a neutral value, so that one load finds every slip there is.
The words a field admits are closed lists; a near miss is answered with "did you mean".
"""

from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

from scenarios.problems import Mark, Problems, did_you_mean
from scenarios.text_yaml import ListNode, MapNode, Node, TextNode, shorten

T = TypeVar("T")
WordT = TypeVar("WordT", bound=str)


class Fields:
    """One mapping of a pack, read field by field; ``close`` notes the keys nobody asked for."""

    def __init__(self, node: Node, problems: Problems, *, what: str) -> None:
        self.mark = node.mark
        self.problems = problems
        self.what = what
        self._nodes: dict[str, Node] = {}
        self._keys: dict[str, TextNode] = {}
        self._asked: list[str] = []
        if isinstance(node, MapNode):
            self._nodes = {key.value: value for key, value in node.entries}
            self._keys = {key.value: key for key, _ in node.entries}
        else:
            problems.add(
                node.mark, "form", f"{what} must be a mapping of 'name: value' lines", "indent its fields below it"
            )

    def node(self, name: str) -> Node | None:
        """Return a field as it stands, or None; an empty value counts as absent."""
        self._asked.append(name)
        node = self._nodes.get(name)
        return None if isinstance(node, TextNode) and node.value == "" else node

    def mark_of(self, name: str) -> Mark:
        """Return where a field stands, or where its mapping does."""
        node = self._nodes.get(name)
        return self.mark if node is None else node.mark

    def read(self, name: str, reader: Callable[[str], T], default: T) -> T:
        """Read an optional scalar with one of the readers above."""
        node = self.node(name)
        if node is None:
            return default
        if not isinstance(node, TextNode):
            self.problems.add(
                node.mark, "form", f"'{name}' of {self.what} must be one value", "remove the list or mapping"
            )
            return default
        try:
            return reader(node.value)
        except ValueError as error:
            self.problems.add(node.mark, "value", f"{name}: {error}")
            return default

    def required(self, name: str, reader: Callable[[str], T], default: T) -> T:
        """Read a scalar that must be there."""
        if self.node(name) is None:
            self.problems.add(self.mark, "missing", f"{self.what} has no '{name}'", f"add '{name}: …'")
        return self.read(name, reader, default)

    def text(self, name: str, default: str = "") -> str:
        """Read an optional text, white space at both ends removed."""
        return self.read(name, str.strip, default)

    def required_text(self, name: str) -> str:
        """Read a text that must be there."""
        return self.required(name, str.strip, "")

    def word(self, name: str, known: tuple[WordT, ...], default: WordT) -> WordT:
        """Read a word of a closed list, spelled as the list spells it."""
        node = self.node(name)
        if node is None:
            return default
        value = node.value.strip() if isinstance(node, TextNode) else ""
        for word in known:
            if word == value:
                return word
        self.problems.add(
            node.mark, "unknown-word", f"'{shorten(value)}' is no '{name}' of {self.what}", did_you_mean(value, known)
        )
        return default

    def texts(self, name: str) -> tuple[TextNode, ...]:
        """Read a list of texts; a single value stands for a list of one."""
        node = self.node(name)
        if node is None:
            return ()
        if isinstance(node, TextNode):
            return (TextNode(node.value.strip(), node.mark),)
        if isinstance(node, ListNode):
            found = []
            for item in node.items:
                if isinstance(item, TextNode):
                    found.append(TextNode(item.value.strip(), item.mark))
                else:
                    self.problems.add(item.mark, "form", f"an item of '{name}' must be one value")
            return tuple(found)
        self.problems.add(node.mark, "form", f"'{name}' of {self.what} must be a list", "write [one, two]")
        return ()

    def words(self, name: str, known: Collection[str], *, noun: str) -> tuple[str, ...]:
        """Read a list of names that must be known, in written order, repeats noted."""
        found: list[str] = []
        for item in self.texts(name):
            if item.value not in known:
                self.problems.add(
                    item.mark, "unknown-id", f"'{shorten(item.value)}' is no {noun}", did_you_mean(item.value, known)
                )
            elif item.value in found:
                self.problems.add(item.mark, "repeated", f"'{item.value}' stands twice in '{name}'", "remove one")
            else:
                found.append(item.value)
        return tuple(found)

    def one_of(self, name: str, known: Collection[str], *, noun: str) -> str | None:
        """Read one name that must be known, or None if the field is absent."""
        node = self.node(name)
        if node is None:
            return None
        value = node.value.strip() if isinstance(node, TextNode) else ""
        if value in known:
            return value
        self.problems.add(node.mark, "unknown-id", f"'{shorten(value)}' is no {noun}", did_you_mean(value, known))
        return None

    def required_one_of(self, name: str, known: Collection[str], *, noun: str) -> str:
        """Read one known name that must be there; empty after a slip."""
        if self.node(name) is None:
            self.problems.add(self.mark, "missing", f"{self.what} has no '{name}'", f"add '{name}: …'")
        return self.one_of(name, known, noun=noun) or ""

    def fields(self, name: str) -> "Fields | None":
        """Read a mapping inside this one."""
        node = self.node(name)
        return None if node is None else Fields(node, self.problems, what=f"'{name}' of {self.what}")

    def each(self, name: str) -> Iterator["Fields"]:
        """Read a list of mappings; a single mapping stands for a list of one."""
        node = self.node(name)
        items = () if node is None else node.items if isinstance(node, ListNode) else (node,)
        for item in items:
            yield Fields(item, self.problems, what=f"an item of '{name}' of {self.what}")

    def each_or_text(self, name: str) -> "Iterator[Fields | TextNode]":
        """Read a list whose items are texts or mappings."""
        node = self.node(name)
        items = () if node is None else node.items if isinstance(node, ListNode) else (node,)
        for item in items:
            yield (
                item
                if isinstance(item, TextNode)
                else Fields(item, self.problems, what=f"an item of '{name}' of {self.what}")
            )

    def close(self) -> None:
        """Note every key that no reader has asked for: a misspelt field must not pass for one left out."""
        for name, key in self._keys.items():
            if name not in self._asked:
                self.problems.add(
                    key.mark,
                    "unknown-field",
                    f"{self.what} has no field '{shorten(name)}'",
                    did_you_mean(name, self._asked),
                )
