"""Typed readers for the fields of a pack: what a scalar means is decided here, by the field it fills.

A reader that meets a slip notes it and answers with a neutral value, so that one load finds every slip there is.
The words a field admits are closed lists; a near miss is answered with "did you mean".
"""

import re
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, TypeVar

from scenarios.model import Span
from scenarios.problems import Mark, Problems, did_you_mean
from scenarios.text_yaml import ListNode, MapNode, Node, TextNode, shorten
from schemas.limits import UINT_MS_MAX

T = TypeVar("T")
WordT = TypeVar("WordT", bound=str)

DURATION_MS_MAX: Final = 60 * 24 * 3_600_000  # the longest exercises of the field run for some weeks
NUMBER_MAX: Final = 2**53 - 1
_UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_BITS: Final = {"bit": 1, "kbit": 1_000, "mbit": 1_000_000, "gbit": 1_000_000_000}
_DURATION_PART: Final = re.compile(r"(\d{1,9})(ms|s|m|h|d)", re.ASCII)
_DURATION: Final = re.compile(r"(?:\d{1,9}(?:ms|s|m|h|d))+", re.ASCII)
_CLOCK: Final = re.compile(r"T([+-])(\d{1,3}):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_DATETIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)? ?(?:(Z|UTC)|([+-])(\d\d):?(\d\d)?)?", re.ASCII
)
_RATE: Final = re.compile(r"(\d{1,9}) ?([kKmMgG]?bit)(?:/s)?", re.ASCII)
_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d{1,4})?) ?%", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,16}", re.ASCII)
_LEAST_AND_MOST: Final = 2


def read_duration_ms(text: str) -> int:
    """Read ``90s``, ``1h30m``, ``700ms`` or a plain ``0``.

    Raises:
        ValueError: If it is none of them.
    """
    compact = text.replace(" ", "")
    if compact == "0":
        return 0
    if _DURATION.fullmatch(compact) is None:
        msg = f"'{shorten(text)}' is no duration; write for example 90s, 20m or 1h30m"
        raise ValueError(msg)
    total = sum(int(count) * _UNITS_MS[unit] for count, unit in _DURATION_PART.findall(compact))
    if total > DURATION_MS_MAX:
        msg = f"'{shorten(text)}' is longer than 60 days"
        raise ValueError(msg)
    return total


def read_span(text: str) -> Span:
    """Read ``5m``, ``5m..12m`` or ``700ms +-200ms``.

    Raises:
        ValueError: If it is none of them, or runs backwards.
    """
    if ".." in text:
        least_ms, most_ms = (read_duration_ms(part) for part in text.split("..", maxsplit=1))
    elif "+-" in text or "±" in text:
        middle_ms, spread_ms = (read_duration_ms(part) for part in text.replace("±", "+-").split("+-", maxsplit=1))
        least_ms, most_ms = max(0, middle_ms - spread_ms), middle_ms + spread_ms
    else:
        least_ms = most_ms = read_duration_ms(text)
    if most_ms < least_ms:
        msg = f"'{shorten(text)}' runs backwards; write the shorter time first"
        raise ValueError(msg)
    return Span(least_ms=least_ms, most_ms=most_ms)


def read_exercise_time_ms(text: str) -> int:
    """Read ``T+01:30``, ``T+5m`` or ``T-00:10``: milliseconds from STARTEX, negative before it.

    Raises:
        ValueError: If it is none of them.
    """
    compact = text.replace(" ", "")
    clock = _CLOCK.fullmatch(compact)
    if clock is not None:
        sign, hours, minutes, seconds = clock.groups()
        value = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds or 0)) * 1_000
        return -value if sign == "-" else value
    if compact[:2] in {"T+", "T-"}:
        value = read_duration_ms(compact[2:])
        return -value if compact[1] == "-" else value
    msg = f"'{shorten(text)}' is no exercise time; write for example T+01:30 or T+5m"
    raise ValueError(msg)


def read_datetime(text: str) -> datetime:
    """Read ``2027-03-14 03:10 +07`` or, for a date alone, its midnight in UTC.

    Raises:
        ValueError: If it is none of them, or gives a time of day without a zone.
    """
    found = _DATETIME.fullmatch(text.strip())
    if found is None:
        msg = f"'{shorten(text)}' is no date and time; write for example 2027-03-14 03:10 +07"
        raise ValueError(msg)
    year, month, day, hour, minute, second, utc, sign, zone_hours, zone_minutes = found.groups()
    if hour is not None and utc is None and sign is None:
        msg = f"'{shorten(text)}' names no time zone; add for example +07 or Z"
        raise ValueError(msg)
    offset = timedelta(hours=int(zone_hours or 0), minutes=int(zone_minutes or 0))
    zone = timezone(-offset if sign == "-" else offset)
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=zone
        )
        unix_ms = datetime_ms(moment)
    except (ValueError, OverflowError) as error:
        msg = f"'{shorten(text)}' is no day or time of the calendar"
        raise ValueError(msg) from error
    if not 0 <= unix_ms <= UINT_MS_MAX:
        msg = f"'{shorten(text)}' lies before 1970"
        raise ValueError(msg)
    return moment


def datetime_ms(moment: datetime) -> int:
    """Return a moment as Unix milliseconds, by integers only."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def read_rate(text: str) -> int:
    """Read ``256kbit``: bits per second.

    Raises:
        ValueError: If it is no rate, or nothing at all.
    """
    found = _RATE.fullmatch(text.strip())
    if found is None or int(found[1]) == 0:
        msg = f"'{shorten(text)}' is no rate; write for example 256kbit or 2mbit"
        raise ValueError(msg)
    return int(found[1]) * _BITS[found[2].lower()]


def read_share(text: str) -> float:
    """Read ``95%``: 0.95.

    Raises:
        ValueError: If it is no percentage, or above 100 %.
    """
    found = _SHARE.fullmatch(text.strip())
    if found is None or float(found[1]) > 100:  # noqa: PLR2004 - a percentage
        msg = f"'{shorten(text)}' is no percentage; write for example 95%"
        raise ValueError(msg)
    return float(found[1]) / 100


def read_threshold(text: str) -> float:
    """Read a threshold of a measure: ``95%`` or a count such as ``0``.

    Raises:
        ValueError: If it is neither.
    """
    return read_share(text) if "%" in text else float(read_number(text))


def read_number(text: str) -> int:
    """Read a whole number.

    Raises:
        ValueError: If it is none, or larger than every language's reader keeps exact.
    """
    compact = text.strip().replace("_", "")
    if not compact.isascii() or _NUMBER.fullmatch(compact) is None or int(compact) > NUMBER_MAX:
        msg = f"'{shorten(text)}' is no whole number"
        raise ValueError(msg)
    return int(compact)


def read_yes_or_no(text: str) -> bool:
    """Read ``yes`` or ``no``.

    Raises:
        ValueError: If it is neither.
    """
    match text.strip().lower():
        case "yes" | "true":
            return True
        case "no" | "false":
            return False
        case _:
            msg = f"'{shorten(text)}' is neither yes nor no"
            raise ValueError(msg)


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
