"""The story, the pictures' small tools, and how times and lists are written."""

import pytest

from scenarios.evaluate.evaluation import evaluate
from scenarios.evaluate.history import History
from scenarios.evaluate.wording import clock_text, length_text, list_text, names_of
from scenarios.report.narrative import StoryEntry, tell_story
from scenarios.report.palette import PART_FILL, STATE_FILL
from scenarios.report.svg import wrap
from scenarios.report.visible import visible
from tests.samples.small_exercise import small_community, small_pack, small_record


@pytest.fixture(scope="module")
def story() -> tuple[StoryEntry, ...]:
    pack, record = small_pack(), small_record()
    evaluation = evaluate(pack, record, small_community())
    return tell_story(pack, History(pack, record), evaluation, names_of(pack))


def test_the_story_is_told_in_order_from_startex_to_endex(story: tuple[StoryEntry, ...]) -> None:
    times = [entry.at_ms for entry in story]

    assert times == sorted(times)
    assert story[0].text.startswith("STARTEX")
    assert story[-1].text == "ENDEX."


@pytest.mark.parametrize(
    "sentence",
    [
        "Echo Shipping can now read F2 (The warning came from a source aboard), which it must not have",
        "Alpha Coast Guard decides: granted, after 8 min.",
        "Delta Fusion Centre holds what it asked for, 10 min after asking.",
        "Branch B1: its condition was not met, so the other way. Released: E4.",
        "Alpha Coast Guard corrects an earlier report, which 3 agencies have had.",
        "The correction reaches Bravo Coast Guard, 1 min after its release.",
        "The router refuses a message of Charlie Coast Guard: not allowed to Alpha Coast Guard by NTK-NATONLY.",
        "Before sending, Alpha Coast Guard's node leaves out Delta Fusion Centre: NTK-REL does not allow it.",
        "Charlie Coast Guard's link goes down and stays down to the end.",
        "In time: Bravo Coast Guard knows F1 (N1).",
        "Charlie Coast Guard knows F1 (A tug was boarded off Cape One), 15 min too late (N1). Main cause: person.",
        "F3 (The port's traffic system was entered) falls due at Charlie Coast Guard, who will never learn it (N2).",
    ],
)
def test_the_story_tells_every_turn_of_the_play(story: tuple[StoryEntry, ...], sentence: str) -> None:
    assert [entry.text for entry in story if sentence in entry.text]


def test_what_a_briefing_stops_at_is_marked(story: tuple[StoryEntry, ...]) -> None:
    marked = {entry.kind for entry in story if entry.emphasis}

    assert {"breach", "consent", "correction", "control", "outcome", "rule"} == marked


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [(0, "T+0:00"), (65 * 60_000, "T+1:05"), (90_000, "T+0:01:30"), (-60_000, "T-0:01"), (86_400_000, "T+24:00")],
)
def test_an_exercise_time_is_written_as_planners_do(at_ms: int, expected: str) -> None:
    assert expected == clock_text(at_ms)


@pytest.mark.parametrize(
    ("length_ms", "expected"),
    [
        (0, "0 s"), (59_400, "59 s"), (60_000, "1 min"), (90_000, "90 s"), (150_000, "2 min"),
        (179 * 60_000, "179 min"), (185 * 60_000, "3 h 05 min"), (-60_000, "-1 min"),
    ],
)  # fmt: skip
def test_a_length_is_written_as_people_say_it(length_ms: int, expected: str) -> None:
    assert expected == length_text(length_ms)


@pytest.mark.parametrize(
    ("items", "expected"), [([], "nobody"), (["A"], "A"), (["A", "B"], "A and B"), (["A", "B", "C"], "A, B and C")]
)
def test_names_are_joined_as_in_a_sentence(items: list[str], expected: str) -> None:
    assert expected == list_text(items)


def test_what_cannot_be_seen_is_shown() -> None:
    assert visible("a\u202eb\u200bc\x00d\ne") == "a�b�c�d e"
    assert visible("Việt Nam: ท่าเรือ, 港") == "Việt Nam: ท่าเรือ, 港"


def test_text_that_does_not_fit_says_so() -> None:
    assert wrap("one two three four", chars_max=8, lines_max=2) == ["one two", "three…"]
    assert wrap("a-very-long-agency", chars_max=8, lines_max=3) == ["a-very-", "long-", "agency"]


def lightness(colour: str) -> float:
    """Relative luminance (WCAG 2.2), by which a colour becomes a grey."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("style", [*STATE_FILL.values(), *PART_FILL.values()])
def test_every_letter_stands_out_from_its_colour(style: object) -> None:
    """WCAG 2.2, 1.4.3 asks 4.5:1; the clean cell's dot says nothing that its emptiness does not, and has 3:1."""
    fill, text = getattr(style, "fill", ""), getattr(style, "text", "")
    brighter, darker = sorted((lightness(fill), lightness(text)), reverse=True)
    contrast = (brighter + 0.05) / (darker + 0.05)

    assert contrast >= (3 if style is STATE_FILL["clean"] else 4.5)
