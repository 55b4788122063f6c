"""A small report as a person writes it: one YAML or JSON file with title, label and text.

    title: Boarding of MV KENANGA MAS
    tlp: AMBER                    # label fields up here hold for every portion that does not say otherwise
    level: EX-UNCLAS
    topic: toc.piracy
    affected: [IDN, MYS, SGP]
    to: [mys-mar, SGP, '@asean']  # left out: everybody whom the rules permit
    portions:                     # or, for a report of one portion: text: …
      - text: Six men came over the stern.
        indicators: [{kind: vessel-name, value: KENANGA MAS}]
      - {tlp: RED, rel: [mys-mar], title: For one desk alone, text: The citadel does not lock.}

Read as strictly as a pack: an unknown field or word is refused, with its line.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, assert_never

from policy.community import Community
from scenarios.fields import Fields
from scenarios.pack_community import CommunityNames, names_of_marks
from scenarios.pack_rules import read_label_fields
from scenarios.problems import FILE_BYTES_MAX, PROBLEMS_SHOWN_MAX, Mark, PackError, PackTextError, Problems
from scenarios.text_yaml import ListNode, MapNode, Node, TextNode, decode_text, read_yaml
from schemas.bundle import Bundle
from schemas.codec import pack, read_shape, unpack
from schemas.errors import Code, InputError, RemoteError
from schemas.limits import CONTENT_BYTES_MAX, PORTIONS_MAX
from schemas.report import Indicator, Passage, Portion, PortionContent

_LABEL_FIELDS: Final = frozenset(
    {
        "tlp", "level", "topic", "compartments", "mechanisms", "rel", "not", "caveats", "affected", "precedence",
        "not_before", "marks",
    }
)  # fmt: skip
_SHARED_FIELDS: Final = _LABEL_FIELDS | {"title", "language"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenReport:
    """A report file, read: its portions, and the agencies it means (none: everybody whom the rules permit)."""

    portions: tuple[Portion, ...]
    to: tuple[str, ...]


def read_report_file(path: Path, *, community: Community, now_ms: int) -> WrittenReport:
    """Read a report file.

    Args:
        path: The file.
        community: Whose words it may use.
        now_ms: What an embargo of the form ``T+2h`` counts from, Unix ms.

    Raises:
        InputError: With everything that is wrong, each with its line.
    """
    return read_report(read_bytes(path), str(path), community=community, now_ms=now_ms)


def read_bytes(path: Path) -> bytes:
    """Read a file as far as a report may be long, and a byte more.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise InputError(msg, remedy="give a file that is there and that you may read") from error


def read_report(received: bytes, name: str, *, community: Community, now_ms: int) -> WrittenReport:
    """Read the bytes of a report file; raises as ``read_report_file``."""
    problems = Problems(name)
    try:
        root = read_yaml(decode_text(received, name), name)
        if root is None:
            problems.add(Mark(name, 1, 1), "empty", "the file is empty", "write at least title, tlp, topic and text")
        report = None if root is None else _Reading(_whole(root), name, problems, community, now_ms).report()
    except PackTextError as error:
        problems.take(error)
        report = None
    except PackError as error:  # at the bound of problems
        problems.found = list(error.problems)
        report = None
    if problems.found or report is None:
        raise _refused(name, problems)
    return report


def _whole(node: Node) -> Node:
    """Put together the halves in which JSON may write a character beyond the first 65,536.

    Raises:
        PackTextError: If a half stands alone.
    """
    match node:
        case TextNode():
            try:
                return TextNode(node.value.encode("utf-16", "surrogatepass").decode("utf-16"), node.mark)
            except UnicodeDecodeError as error:
                raise PackTextError(node.mark, "half a character stands in the text", "write it whole") from error
        case ListNode():
            return ListNode(tuple(_whole(item) for item in node.items), node.mark)
        case MapNode():
            return MapNode(tuple((key, _whole(value)) for key, value in node.entries), node.mark)
        case _:
            assert_never(node)


def _refused(name: str, problems: Problems) -> InputError:
    found = sorted(set(problems.found), key=lambda problem: (problem.mark, problem.text))
    lines = [f"  {problem}" for problem in found[:PROBLEMS_SHOWN_MAX]]
    if len(found) > PROBLEMS_SHOWN_MAX:
        lines.append(f"  … and {len(found) - PROBLEMS_SHOWN_MAX} more")
    message = "\n".join([f"the report {name} cannot be read: {len(found)} problem{'s' * (len(found) != 1)}", *lines])
    return InputError(message, remedy="correct the places named; 'sandiwara send --help' shows the form")


class _Reading:
    def __init__(self, root: Node, name: str, problems: Problems, community: Community, now_ms: int) -> None:
        self._root = root
        self._name = name
        self._problems = problems
        self._community = community
        self._names = _names_of(community.bundle)
        self._now_ms = now_ms

    def report(self) -> WrittenReport:
        top = Fields(self._root, self._problems, what="the report")
        for name in (*sorted(_SHARED_FIELDS), "text", "indicators"):
            top.node(name)  # asked for here, read below with each portion
        asked = tuple(sorted(top.words("to", self._names.subjects, noun="agency, state or @group")))
        portions = tuple(portion for node in self._portion_nodes(top) if (portion := self._portion(node)) is not None)
        top.close()
        return WrittenReport(
            portions=portions, to=self._community.ids(self._community.expand(asked) or 0) if asked else ()
        )

    def _portion_nodes(self, top: Fields) -> tuple[MapNode, ...]:
        """Return each portion with what it takes over from the top."""
        shared = self._entries(self._root)
        node = top.node("portions")
        if node is None:
            return (MapNode(tuple(entry for entry in shared if entry[0].value not in {"to", "portions"}), top.mark),)
        if top.node("text") is not None or top.node("indicators") is not None:
            self._problems.add(
                node.mark, "form", "a report has either portions or a text of its own", "drop one of them"
            )
        items = node.items if isinstance(node, ListNode) else (node,)
        if not 1 <= len(items) <= PORTIONS_MAX:
            self._problems.add(node.mark, "form", f"a report has 1 to {PORTIONS_MAX} portions", "split it")
            return ()
        return tuple(self._with_shared(item, shared) for item in items)

    def _entries(self, node: Node) -> tuple[tuple[TextNode, Node], ...]:
        return node.entries if isinstance(node, MapNode) else ()

    def _with_shared(self, item: Node, shared: tuple[tuple[TextNode, Node], ...]) -> MapNode:
        if not isinstance(item, MapNode):
            self._problems.add(item.mark, "form", "a portion must be a mapping", "write - text: …")
        own = self._entries(item)
        given = {key.value for key, _ in own}
        taken = tuple(entry for entry in shared if entry[0].value in _SHARED_FIELDS and entry[0].value not in given)
        return MapNode((*own, *taken), item.mark)

    def _portion(self, node: MapNode) -> Portion | None:
        fields = Fields(node, self._problems, what="the portion")
        label = read_label_fields(fields, self._names, self._now_ms)
        text = fields.required("text", str, "")
        if not text.strip():
            self._problems.add(fields.mark_of("text"), "empty", "the portion has no text", "write what there is to say")
        content = PortionContent(
            marking="EXERCISE",
            title=fields.required_text("title"),
            body=(Passage(None, text),),
            language=fields.text("language", "en"),
            indicators=tuple(self._indicators(fields)),
        )
        fields.close()
        try:
            read_shape(PortionContent, unpack(pack(content), bytes_max=CONTENT_BYTES_MAX), code=Code.CONTENT)
        except RemoteError as error:
            self._problems.add(fields.mark, "value", f"the portion is not well made: {error}", "shorten or correct it")
            return None
        return Portion(label=label, content=content)

    def _indicators(self, fields: Fields) -> list[Indicator]:
        found = []
        for item in fields.each("indicators"):
            found.append(Indicator(item.required_text("kind"), item.required_text("value"), item.text("note")))
            item.close()
        return found


def _names_of(bundle: Bundle) -> CommunityNames:
    return CommunityNames(
        agencies=[agency.agency for agency in bundle.agencies],
        states=sorted({agency.state for agency in bundle.agencies if agency.state is not None}),
        groups=[group.group for group in bundle.groups],
        levels=bundle.levels,
        compartments=bundle.compartments,
        mechanisms=[mechanism.mechanism for mechanism in bundle.mechanisms],
        marks=names_of_marks(bundle.marks),
    )
