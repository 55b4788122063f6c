"""What a scalar means is decided by the field it fills."""

from collections.abc import Callable
from typing import Any

import pytest

from scenarios.fields import Fields
from scenarios.model import Span
from scenarios.problems import PackError, Problems, did_you_mean
from scenarios.text_yaml import read_yaml
from scenarios.values import (
    datetime_ms,
    read_datetime,
    read_duration_ms,
    read_exercise_time_ms,
    read_number,
    read_rate,
    read_share,
    read_span,
    read_threshold,
    read_yes_or_no,
)

MINUTE = 60_000


@pytest.mark.parametrize(
    ("reader", "text", "expected"),
    [
        (read_duration_ms, "5m", 5 * MINUTE),
        (read_duration_ms, "1h30m", 90 * MINUTE),
        (read_duration_ms, "700ms", 700),
        (read_duration_ms, "1h 30m", 90 * MINUTE),
        (read_duration_ms, "0", 0),
        (read_span, "5m..12m", Span(least_ms=5 * MINUTE, most_ms=12 * MINUTE)),
        (read_span, "700ms +-200ms", Span(least_ms=500, most_ms=900)),
        (read_span, "100ms +-200ms", Span(least_ms=0, most_ms=300)),
        (read_span, "2m", Span(least_ms=2 * MINUTE, most_ms=2 * MINUTE)),
        (read_exercise_time_ms, "T+01:30", 90 * MINUTE),
        (read_exercise_time_ms, "T+5m", 5 * MINUTE),
        (read_exercise_time_ms, "T-00:14", -14 * MINUTE),
        (read_exercise_time_ms, "T+00:00:07", 7_000),
        (read_exercise_time_ms, "T+30:00", 30 * 60 * MINUTE),
        (read_rate, "256kbit", 256_000),
        (read_rate, "4 Mbit/s", 4_000_000),
        (read_share, "95%", 0.95),
        (read_share, "33.5 %", 0.335),
        (read_threshold, "0", 0.0),
        (read_threshold, "80%", 0.8),
        (read_number, "20270314", 20270314),
        (read_number, "1_000", 1000),
        (read_yes_or_no, "yes", True),
        (read_yes_or_no, "no", False),
    ],
)
def test_a_value_is_read_as_its_field_means_it(reader: Callable[[str], Any], text: str, expected: object) -> None:
    assert expected == reader(text)


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        (read_duration_ms, "5"),
        (read_duration_ms, "5 minutes"),
        (read_duration_ms, ""),
        (read_duration_ms, "-5m"),
        (read_duration_ms, "61d"),
        (read_duration_ms, "\u0665m"),
        (read_span, "12m..5m"),
        (read_span, "5m..."),
        (read_exercise_time_ms, "01:30"),
        (read_exercise_time_ms, "T+01:75"),
        (read_exercise_time_ms, "T+"),
        (read_rate, "0kbit"),
        (read_rate, "fast"),
        (read_share, "101%"),
        (read_share, "95"),
        (read_number, "1.5"),
        (read_number, "9" * 17),
        (read_yes_or_no, "maybe"),
        (read_datetime, "2027-03-14 03:10"),
        (read_datetime, "2027-13-14 03:10 Z"),
        (read_datetime, "2027-03-14 25:10 Z"),
        (read_datetime, "1969-12-31 23:59 Z"),
        (read_datetime, "14 March 2027"),
        (read_datetime, "2027-03-14 03:10 +99"),
    ],
)
def test_what_cannot_be_meant_is_refused(reader: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        reader(text)


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("1970-01-01 07:00 +07", 0),
        ("1970-01-01", 0),
        ("2027-03-14 03:10 +08", 1_804_964_999_000 + 1_000),
        ("2027-03-13T19:10:00Z", 1_804_965_000_000),
        ("2027-03-13 13:40 -05:30", 1_804_965_000_000),
    ],
)
def test_a_date_is_read_in_its_own_zone(text: str, expected_ms: int) -> None:
    assert expected_ms == datetime_ms(read_datetime(text))


def fields_of(text: str) -> tuple[Fields, Problems]:
    problems = Problems("test")
    node = read_yaml(text, "a.yaml")
    assert node is not None
    return Fields(node, problems, what="the inject E01"), problems


def test_a_misspelt_field_is_not_taken_for_one_left_out() -> None:
    fields, problems = fields_of("title: x\nexpekted: y\n")
    fields.text("title")
    fields.text("expected")
    fields.close()

    assert [str(problem) for problem in problems.found] == [
        "a.yaml:2:1: the inject E01 has no field 'expekted' (did you mean 'expected'?)"
    ]


def test_reading_goes_on_after_a_slip() -> None:
    """A planner wants all slips of a file, not the first."""
    fields, problems = fields_of("by: soon\nrate: quick\nmode: fone\n")

    assert fields.read("by", read_duration_ms, 0) == 0
    assert fields.read("rate", read_rate, None) is None
    assert fields.word("mode", ("report", "phone"), "report") == "report"
    assert [1, 2, 3] == [problem.mark.line for problem in problems.found]
    assert problems.found[2].remedy == "did you mean 'phone'?"


def test_a_repeated_name_in_a_list_is_noted() -> None:
    fields, problems = fields_of("to: [a, b, a]\n")

    assert fields.words("to", {"a", "b"}, noun="participant") == ("a", "b")
    assert "stands twice" in problems.found[0].text


def test_an_empty_value_counts_as_absent() -> None:
    fields, problems = fields_of("title:\nnotes: x\n")

    assert fields.required_text("title") == ""
    assert problems.found[0].code == "missing"


def test_near_words_are_named_and_far_ones_are_not() -> None:
    assert did_you_mean("Mys-mar", ["mys-mar", "idn-mar"]) == "did you mean 'mys-mar'?"
    assert did_you_mean("zzz", [f"word-{number}" for number in range(40)]) == ""
    assert did_you_mean("zzz", []) == "the pack names none yet"
    assert did_you_mean("zzz", ["a", "b"]) == "known: a, b"


def test_a_file_that_is_wrong_from_end_to_end_is_not_read_to_its_end() -> None:
    """Each slip costs a search for near words; a hostile file must not buy a million of them."""
    text = "".join(f"key-{number}: x\n" for number in range(1_000))
    fields, problems = fields_of(text)

    with pytest.raises(PackError, match=r"and \d+ more"):
        fields.close()
    assert len(problems.found) == 200
