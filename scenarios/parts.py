"""The parts of a pack, gathered from its files: any part may be one file, several, or a folder.

Every YAML file of the pack has one form: a mapping whose keys are names of parts. A part that stands in several files
is the sum of them, so a MSEL may be split by day and a planner may keep everything in one pack.yaml alike.
"""

import re
from collections.abc import Iterator
from typing import Final

from scenarios.fields import Fields
from scenarios.pack_files import PackFiles
from scenarios.problems import Mark, PackTextError, Problems, did_you_mean
from scenarios.text_yaml import ListNode, MapNode, Node, TextNode, decode_text, read_yaml, shorten
from schemas.names import AGENCY_ID_PATTERN

PART_NAMES: Final = (
    "pack", "clock", "participants", "links", "levels", "compartments", "groups", "mechanisms", "marks", "rules",
    "labels", "facts", "needs", "must_not", "msel", "branches", "bots", "orders", "objectives", "changes",
    "red",
)  # fmt: skip
# Folders that hold what a part points to, not parts.
_POINTED_AT: Final = ("content/", "briefs/", "files/")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+.@-]{0,63}", re.ASCII)
_AGENCY_ID: Final = re.compile(AGENCY_ID_PATTERN.removeprefix("^").removesuffix("$"), re.ASCII)

Places = dict[tuple[str, str], Mark]


class Parts:
    """All parts of a pack, and the table of where each id was defined."""

    def __init__(self, files: PackFiles, problems: Problems) -> None:
        self.files = files
        self.problems = problems
        self.places: Places = {}
        self._nodes: dict[str, list[Node]] = {name: [] for name in PART_NAMES}
        for relative in sorted(files.contents):
            is_part = files.alone or relative.endswith((".yaml", ".yml"))
            if is_part and not relative.startswith(_POINTED_AT):
                self._take_file(relative)

    def _take_file(self, relative: str) -> None:
        try:
            root = read_yaml(decode_text(self.files.contents[relative], relative), relative)
        except PackTextError as error:
            self.problems.take(error)
            return
        if root is None:
            return
        if not isinstance(root, MapNode):
            self.problems.add(
                root.mark, "form", "a file of a pack is a mapping of parts", f"begin it with '{PART_NAMES[0]}:'"
            )
            return
        for key, node in root.entries:
            if key.value in self._nodes:
                self._nodes[key.value].append(node)
            else:
                self.problems.add(
                    key.mark,
                    "unknown-part",
                    f"'{shorten(key.value)}' is no part of a pack",
                    did_you_mean(key.value, PART_NAMES),
                )

    def add(self, part: str, node: Node) -> None:
        """Add what was read from elsewhere, such as the rows of a spreadsheet."""
        self._nodes[part].append(node)

    def single(self, part: str) -> Fields:
        """Return a part that exists once and is one mapping; an absent one is noted."""
        nodes = self._nodes[part]
        nowhere = Mark(self.files.main, 1, 1)
        self.places[part, ""] = nodes[0].mark if nodes else nowhere
        for extra in nodes[1:]:
            self.problems.add(extra.mark, "repeated", f"the part '{part}' stands twice", "keep one of them")
        if not nodes:
            self.problems.add(
                nowhere, "missing", f"the pack has no part '{part}'", f"add '{part}:' to {self.files.main}"
            )
        return Fields(nodes[0] if nodes else MapNode((), nowhere), self.problems, what=f"the part '{part}'")

    def texts(self, part: str) -> tuple[TextNode, ...]:
        """Return a part that is a plain list of words."""
        found: list[TextNode] = []
        for node in self._nodes[part]:
            wrapped = Fields(MapNode(((TextNode(part, node.mark), node),), node.mark), self.problems, what="the pack")
            found.extend(wrapped.texts(part))
        return tuple(found)

    def entries(self, part: str, *, what: str, agency_ids: bool = False) -> Iterator[tuple[str, Fields]]:
        """Yield the entries of a part by id: a mapping of ids, or a list whose items have an ``id``.

        Ids that are misspelt or repeated are noted and left out.
        """
        pattern = _AGENCY_ID if agency_ids else _WORD
        for name, node in self._named(part, what):
            fields = Fields(node, self.problems, what=f"{what} {shorten(name.value)}")
            fields.node("id")  # where the part is a list; the key is the id where it is a mapping
            if pattern.fullmatch(name.value) is None:
                form = (
                    "small letters, digits and '-', 2 to 32 of them"
                    if agency_ids
                    else "letters, digits and . _ + @ -, at most 64"
                )
                self.problems.add(
                    name.mark, "bad-id", f"'{shorten(name.value)}' cannot be the id of {what}", f"use {form}"
                )
            elif (part, name.value) in self.places:
                first = self.places[part, name.value]
                self.problems.add(
                    name.mark,
                    "repeated",
                    f"{what} {name.value} is defined twice; the first is at {first}",
                    "rename or remove one",
                )
            else:
                self.places[part, name.value] = name.mark
                yield name.value, fields

    def _own_id(self, item: Node, what: str) -> TextNode | None:
        """Return the ``id`` that an item of a list bears; a missing one is noted."""
        if not isinstance(item, MapNode):
            self.problems.add(item.mark, "form", f"{what} must be a mapping", "write - {id: …, …}")
            return None
        node = next((value for key, value in item.entries if key.value == "id"), None)
        if isinstance(node, TextNode) and node.value.strip():
            return TextNode(node.value.strip(), node.mark)
        self.problems.add(item.mark, "missing", f"{what} has no 'id'", "add 'id: …'")
        return None

    def _named(self, part: str, what: str) -> Iterator[tuple[TextNode, Node]]:
        for node in self._nodes[part]:
            if isinstance(node, MapNode):
                yield from node.entries
            elif isinstance(node, ListNode):
                for item in node.items:
                    name = self._own_id(item, what)
                    if name is not None:
                        yield name, item
            elif node.value:
                self.problems.add(
                    node.mark, "form", f"the part '{part}' must be a mapping or a list", "indent its entries below it"
                )
