"""Contents of injects: portions with labels, and passages made opaque."""

import pytest

from scenarios.content import read_content
from scenarios.model import ContentPortion
from scenarios.passages import ContentContext, passage_id
from scenarios.problems import Problems
from scenarios.values import read_distance_m, read_position
from schemas.label import Label
from schemas.report import Grading, Indicator, Observed, Place

START_MS = 1_804_965_000_000
MINUTE = 60_000


@pytest.fixture
def context() -> ContentContext:
    return ContentContext(
        pack="harbour-watch",
        start_ms=START_MS,
        labels={"open": Label("GREEN", "EX-UNCLAS", "toc.piracy"), "close": Label("AMBER", "EX-SECRET", "toc.piracy")},
        facts={"F1", "F2"},
        passage_facts={},
        problems=Problems("test"),
    )


def read(text: str, context: ContentContext) -> tuple[ContentPortion, ...]:
    return read_content(text, "content/E01.md", context)


def header(more: str = "") -> str:
    return f"---\nlabel: open\ntitle: A title\n{more}---\n"


def test_a_file_is_read_portion_by_portion(context: ContentContext) -> None:
    text = (
        header("grading: B2\nlanguage: ms\nobserved: T-00:14..T+00:04 approximate\n"
               "place: {name: The bank, position: 01-33.0N 102-50.0E, quality: exact, radius: 2nm}\n"
               "indicators: [{kind: mmsi, value: '999000111', note: invented}]\n")
        + "First text.\n\n---\nlabel: close\ntitle: Another\n---\nSecond text.\n"
    )  # fmt: skip

    first, second = read(text, context)

    assert [] == context.problems.found
    assert ("open", "close") == (first.label_name, second.label_name)
    assert first.label.tlp == "GREEN"
    assert ("First text.", "Second text.") == (first.content.text, second.content.text)
    assert first.content.grading == Grading("B", "2")
    assert first.content.language == "ms"
    assert first.content.observed == Observed(START_MS - 14 * MINUTE, START_MS + 4 * MINUTE, "approximate")
    assert first.content.places == (Place("The bank", 1_550_000, 102_833_333, "exact", 3_704),)
    assert first.content.indicators == (Indicator("mmsi", "999000111", "invented"),)
    assert first.content.marking == "EXERCISE"


def test_passages_become_opaque_and_their_facts_go_to_evaluation(context: ContentContext) -> None:
    (portion,) = read(header() + "At two {F1: a ship\nwas boarded}, {F2: by an insider}.\n", context)

    assert portion.content.text == "At two a ship\nwas boarded, by an insider."
    told = [context.passage_facts[passage] for passage in portion.content.passages]
    assert ["F1", "F2"] == told
    assert [False, True, False, True, False] == [run.passage is not None for run in portion.content.body]
    assert all("F1" not in passage and len(passage) == 12 for passage in portion.content.passages)


def test_a_passage_id_is_the_same_in_every_run_and_differs_by_place() -> None:
    """Evaluation joins the records of different nodes by these ids."""
    here = passage_id("harbour-watch", "content/E01.md", 1)

    assert here == passage_id("harbour-watch", "content/E01.md", 1)
    assert len({here, passage_id("other", "content/E01.md", 1), passage_id("harbour-watch", "content/E02.md", 1),
                passage_id("harbour-watch", "content/E01.md", 2)}) == 4  # fmt: skip


def test_two_portions_of_a_file_share_no_passage_id(context: ContentContext) -> None:
    first, second = read(header() + "{F1: one}\n" + header() + "{F1: two}\n", context)

    assert not set(first.content.passages) & set(second.content.passages)


def test_an_escaped_brace_is_a_brace_of_the_text(context: ContentContext) -> None:
    (portion,) = read(header() + r"The code \{x\} was seen.", context)

    assert portion.content.text == "The code {x} was seen."
    assert [] == context.problems.found


@pytest.mark.parametrize(
    ("body", "line", "column", "words"),
    [
        ("Some { text.", 5, 6, "no passage"),
        ("Some } text.", 5, 6, "no passage"),
        ("One.\nTwo {F1: never closed", 6, 5, "no passage"),
        ("{F1: outer {F2: inner} }", 5, 1, "no passage"),
        ("{F3: unknown}", 5, 1, "'F3' is no fact"),
        ("\n\n{F1 no colon}", 7, 1, "no passage"),
    ],
)
def test_a_brace_that_cannot_be_meant_is_shown_where_it_stands(
    body: str, line: int, column: int, words: str, context: ContentContext
) -> None:
    read(header() + body, context)

    problem = context.problems.found[0]
    assert ("content/E01.md", line, column) == problem.mark
    assert words in problem.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("No header at all.", "begins with a header"),
        ("---\nlabel: open\n", "not closed"),
        ("---\n---\ntext", "header is empty"),
        ("Before.\n" + header() + "text", "begins with a header"),
        (header() + "\n", "no text"),
        ("---\nlabel: opne\ntitle: x\n---\ntext", "'opne' is no label"),
        ("---\nlabel: open\n---\ntext", "no 'title'"),
        (header("grading: G7\n") + "text", "no grading"),
        (header("place: {name: x, position: somewhere}\n") + "text", "no position"),
        (header("observed: yesterday\n") + "text", "no date"),
        (header("language: Bahasa Melayu\n") + "text", "language"),
        (header("tittle: x\n") + "text", "no field 'tittle'"),
        (header("indicators: [{value: x}]\n") + "text", "no 'kind'"),
        ("---\nlabel: open\ntitle: " + "x" * 201 + "\n---\ntext", "title cannot be sent"),
    ],
)
def test_a_slip_in_a_content_file_is_noted(text: str, words: str, context: ContentContext) -> None:
    read(text, context)

    assert any(words in problem.text for problem in context.problems.found), context.problems.found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("01-04.2N 103-42.8E", (1_070_000, 103_713_333)),
        ("01-04.2S, 103-42.8W", (-1_070_000, -103_713_333)),
        ("1.07, 103.713333", (1_070_000, 103_713_333)),
    ],
)
def test_a_position_is_read_as_the_bridge_writes_it(text: str, expected: tuple[int, int]) -> None:
    assert expected == read_position(text)


@pytest.mark.parametrize("text", ["91-00.0N 103-42.8E", "01-75.0N 103-42.8E", "01-04.2N", "95.0, 10.0", "10.0, 190.0"])
def test_a_position_off_the_earth_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"position|Earth"):
        read_position(text)


def test_distances_are_read_in_miles_and_metres() -> None:
    assert [3_704, 3_500, 800] == [read_distance_m(text) for text in ("2nm", "3.5km", "800m")]
    with pytest.raises(ValueError, match="no distance"):
        read_distance_m("far")
