"""Granular markings: the selector grammar of STIX 2.1 (7.2.3.1), and an object taken apart by them.

Each part is rebuilt without holes: where something was taken out, nothing is left that would show it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agencies.intake.marks import Mark
from schemas.errors import InputError

Step = str | int

# "Each component MUST be one of: a property name …; a zero-based list index, specified as a non-negative integer in
# square brackets" -- STIX 2.1, 7.2.3.1. Dictionary keys are components too, at most 250 characters of this kind.
_INDEX: Final = re.compile(r"\[(0|[1-9][0-9]{0,8})\]")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,250}")
_SELECTOR_CHARS_MAX: Final = 2_000


def read_selector(selector: Any, content: Mapping[str, Any], *, place: str) -> tuple[Step, ...]:
    """Read a selector and check that it selects something of the object.

    Raises:
        InputError: If it does not follow the grammar, or matches nothing.
    """
    steps: list[Step] = []
    text = selector if isinstance(selector, str) and len(selector) <= _SELECTOR_CHARS_MAX else ""
    for component in text.split("."):
        index = _INDEX.fullmatch(component)
        if index is not None and steps:
            steps.append(int(index[1]))
        elif _NAME.fullmatch(component):
            steps.append(component)
        else:
            msg = f"{place}: a selector does not follow the grammar of STIX 2.1"
            raise InputError(msg, remedy="Nobody can tell what it marks; have the sender mark the object again.")
    value: Any = content
    for step in steps:
        present = step in value if isinstance(value, dict) else isinstance(value, list) and isinstance(step, int)
        if not present or (isinstance(value, list) and isinstance(step, int) and step >= len(value)):
            msg = f"{place}: a selector matches nothing in its object"
            raise InputError(msg, remedy="What it should mark may bear no mark now; have the sender mark it again.")
        value = value[step]
    return tuple(steps)


@dataclass(slots=True)
class MarkTree:
    """Marks by path within one object."""

    mark: Mark = field(default_factory=Mark)
    children: dict[Step, "MarkTree"] = field(default_factory=dict)

    def add(self, steps: tuple[Step, ...], mark: Mark) -> None:
        """Add a mark to what a path selects; several on one path join."""
        node = self
        for step in steps:
            node = node.children.setdefault(step, MarkTree())
        node.mark = node.mark.joined(mark)

    def at(self, steps: tuple[Step, ...]) -> Mark:
        """Return all that applies at a path: its own mark and those of what it stands in."""
        node: MarkTree | None = self
        mark = self.mark
        for step in steps:
            node = node.children.get(step) if node is not None else None
            mark = mark.joined(node.mark) if node is not None else mark
        return mark

    def all(self) -> Mark:
        """Return every mark in the tree, joined."""
        mark = self.mark
        for child in self.children.values():
            mark = mark.joined(child.all())
        return mark


def split(value: Any, tree: MarkTree | None, mark: Mark, *, settle: Callable[[Mark], Mark]) -> dict[Mark, Any]:
    """Take a value apart by marks.

    Args:
        value: A JSON value.
        tree: The marks within it, or None.
        mark: What applies to all of it.
        settle: Makes the final mark of a part from all that applies to it.

    Returns:
        For each final mark, the value with only what bears exactly that mark.
    """
    mark = mark if tree is None else mark.joined(tree.mark)
    if tree is None or not tree.children:
        return {settle(mark): value}
    parts: dict[Mark, Any] = {}
    match value:
        case dict():
            for name, member in value.items():
                for own, part in split(member, tree.children.get(name), mark, settle=settle).items():
                    parts.setdefault(own, {})[name] = part
        case list():
            for index, item in enumerate(value):
                for own, part in split(item, tree.children.get(index), mark, settle=settle).items():
                    parts.setdefault(own, []).append(part)
        case _:
            parts[settle(mark)] = value
    return parts
