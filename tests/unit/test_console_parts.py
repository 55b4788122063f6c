"""The small parts of the console: what is shown, how errors are put, what is logged."""

import json
import logging
import sys

import pytest

from console.exits import Exit, exit_of
from console.failures import show_failure
from console.logs import JsonLines, PlainLines
from console.screen import duration_text, printable
from schemas.errors import (
    Code,
    InputError,
    KeyFileError,
    LinkError,
    LocalError,
    MarkingError,
    NotForMeError,
    RemoteError,
    SandiwaraError,
    SimulationError,
    StoreError,
    UsageError,
)


def every_error(kind: type[SandiwaraError]) -> list[type[SandiwaraError]]:
    return [kind, *(found for below in kind.__subclasses__() for found in every_error(below))]


@pytest.mark.parametrize("kind", [kind for kind in every_error(SandiwaraError) if not kind.__name__.startswith("_")])
def test_every_error_of_the_tree_has_an_exit_code(kind: type[SandiwaraError]) -> None:
    if kind in {SandiwaraError, LocalError}:
        return  # never raised themselves
    error = kind.__new__(kind)
    # What cannot be in virtual time is a programmer's error, and said to be one.
    expected = {Exit.BUG} if isinstance(error, SimulationError) else set(Exit) - {Exit.OK, Exit.BUG}

    assert exit_of(error) in expected


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (MarkingError("x"), 3),
        (LinkError("x"), 4),
        (StoreError("x"), 5),
        (KeyFileError("x"), 5),
        (NotForMeError("x"), 3),
    ],
)
def test_the_exit_code_follows_the_kind(error: SandiwaraError, code: int) -> None:
    assert code == exit_of(error)


def test_an_error_inside_the_groups_of_task_groups_is_shown_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Every task group around it wraps it once more; the user wants the innermost."""
    error = ExceptionGroup(
        "a", [ExceptionGroup("b", [ValueError("secret"), InputError("x is wrong", remedy="mend x")])]
    )

    assert Exit.INPUT == show_failure(error, debug=False)
    assert "sandiwara: x is wrong\n  try: mend x\n" == capsys.readouterr().err


def test_a_bug_shows_its_kind_and_place_and_not_what_it_stumbled_over(capsys: pytest.CaptureFixture[str]) -> None:
    def stumble() -> None:
        raise ValueError("the text of a report")  # noqa: EM101, TRY003

    with pytest.raises(ValueError, match="report") as caught:
        stumble()

    assert Exit.BUG == show_failure(caught.value, debug=False)
    said = capsys.readouterr().err
    assert "ValueError in unit/test_console_parts.py:" in said
    assert "--debug" in said
    assert "text of a report" not in said


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    show_failure(InputError("x"), debug=True)

    assert "schemas.errors.InputError: x" in capsys.readouterr().err


def test_an_error_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_failure(RemoteError(Code.SHAPE, "\x1b[2J\rgone"), debug=False)

    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "\r" not in said
    assert "[SHAPE]" in said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred", "\N{REPLACEMENT CHARACTER}[31mred"),
        ("a\u202egnp.exe", "a\N{REPLACEMENT CHARACTER}gnp.exe"),
        ("\ud83d", "\N{REPLACEMENT CHARACTER}"),
        ("two\nlines", "two lines"),
        ("ក\u200bខ မြန်မာ ไทย", "ក\u200bខ မြန်မာ ไทย"),
    ],
)
def test_what_a_terminal_would_obey_is_not_shown(text: str, shown: str) -> None:
    assert shown == printable(text)


def test_line_ends_of_a_report_are_kept() -> None:
    assert "a\nb" == printable("a\nb", lines=True)


@pytest.mark.parametrize(("milliseconds", "text"), [(0, "0s"), (5_400_000, "1h30m"), (90_061_000, "1d1h1m1s")])
def test_durations_are_written_as_planners_write_them(milliseconds: int, text: str) -> None:
    assert text == duration_text(milliseconds)


def record(**fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "broker.service", "msg": "envelope.decided", "levelno": 20, "created": 1.5})
    made.levelname = "INFO"
    made.msecs = 500
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_a_plain_line_holds_the_fields_of_the_record() -> None:
    line = PlainLines().format(record(hid="3fa9", outcome="accepted", error='no "link"\n\x1b[2J'))

    assert (
        "1970-01-01T00:00:01.500Z info broker.service envelope.decided hid=3fa9 outcome=accepted "
        'error="no \\"link\\"??[2J"'
    ) == line


def test_a_json_line_holds_them_too() -> None:
    line = json.loads(JsonLines().format(record(hid="3fa9", payload_bytes=7)))

    assert {
        "at": "1970-01-01T00:00:01.500Z",
        "level": "info",
        "logger": "broker.service",
        "event": "envelope.decided",
        "hid": "3fa9",
        "payload_bytes": 7,
    } == line


def test_a_logged_exception_shows_its_kind_alone() -> None:
    """Its text and its frames may hold what a report says."""
    try:
        raise ValueError("the text of a report")  # noqa: EM101, TRY003, TRY301
    except ValueError:
        made = record(exc_info=sys.exc_info())

    for line in (PlainLines().format(made), JsonLines().format(made)):
        assert "ValueError" in line
        assert "text of a report" not in line
