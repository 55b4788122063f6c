"""The shapes: names, topics, lists that stand for sets, reports, frames, and the tree of errors."""

import inspect
from typing import Any, get_args

import pytest

from schemas import errors
from schemas.codec import pack, read_shape
from schemas.envelope import KINDS, Kind
from schemas.errors import STAGE_OF, Code, LocalError, NotForMeError, RemoteError, SandiwaraError, Stage
from schemas.frames import (
    DOWN_SHAPES,
    UP_SHAPES,
    Ack,
    Delivery,
    EnvelopeMessage,
    gather_frames,
    read_down_frame,
    read_up_frame,
    write_frame,
)
from schemas.label import EXERCISE_LEVELS, Label, read_label
from schemas.limits import FRAME_BYTES_MAX, FRAME_MESSAGES_MAX, HEADER_BYTES_MAX
from schemas.names import AgencyId, States, Subject, Words
from schemas.report import Passage, Portion, PortionContent, Report
from schemas.topics import down_topic, is_agency_id, up_topic

PLAIN = Label(tlp="AMBER", level="EX-RESTRICTED", topic="toc.piracy")


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("mys-mar", True),
        ("a1", True),
        ("a" * 32, True),
        ("a", False),
        ("a" * 33, False),
        ("-ab", False),
        ("ABC", False),
        ("ab\n", False),
        ("a/b", False),
        ("a+", False),
        ("", False),
        ("\u0661\u0662", False),
    ],
)
def test_an_agency_id_is_one_thing_to_mqtt_and_to_us(text: str, good: bool) -> None:  # noqa: FBT001 - a table's column
    assert good == is_agency_id(text)
    try:
        read_shape(AgencyId, text)
    except RemoteError:
        assert not good
    else:
        assert good


def test_topics_hold_the_id_and_nothing_else() -> None:
    assert ("sw/1/mys-mar/up", "sw/1/mys-mar/down") == (up_topic("mys-mar"), down_topic("mys-mar"))


@pytest.mark.parametrize(("items", "good"), [((), True), (("A", "B"), True), (("B", "A"), False), (("A", "A"), False)])
def test_a_set_has_one_spelling(items: tuple[str, ...], good: bool) -> None:  # noqa: FBT001 - a table's column
    try:
        read_shape(Words, items)
    except RemoteError:
        assert not good
    else:
        assert good


@pytest.mark.parametrize("text", ["MYS", "mys-mar", "@region"])
def test_a_subject_is_a_state_an_agency_or_a_group(text: str) -> None:
    assert text == read_shape(Subject, text)


@pytest.mark.parametrize("text", ["my", "MYSX", "@", "@Region", "#", "MYS\n", "*"])
def test_what_only_looks_like_a_state_is_refused(text: str) -> None:
    with pytest.raises(RemoteError):
        read_shape(States, (text,))


def test_a_label_is_read_from_its_bytes_alone() -> None:
    """The kept labels are found by bytes: 1, 1.0 and True are one key in Python and are not one label."""
    with_time = PLAIN._replace(not_before=1)

    assert with_time == read_label(pack(with_time))
    for other in (True, 1.0):
        with pytest.raises(RemoteError):
            read_label(pack((*with_time[:-1], other)))


def test_a_label_is_bounded_before_it_is_read() -> None:
    with pytest.raises(RemoteError) as caught:
        read_label(bytes(HEADER_BYTES_MAX + 1))

    assert Code.TOO_BIG is caught.value.code


def test_levels_are_named_lowest_first() -> None:
    assert ("EX-UNCLAS", "EX-SECRET") == (EXERCISE_LEVELS[0], EXERCISE_LEVELS[-1])


def test_a_report_has_the_title_of_its_first_portion_and_a_portion_its_passages() -> None:
    content = PortionContent("EXERCISE", "One", (Passage("p1", "a"), Passage(None, "b"), Passage("p1", "c")))
    report = Report((Portion(PLAIN, content), Portion(PLAIN, content._replace(title="Two"))))

    assert "One" == report.title
    assert "abc" == content.text
    assert ("p1",) == content.passages


def test_kinds_are_listed_as_they_are_typed() -> None:
    assert get_args(Kind) == KINDS


# Frames.


def test_frames_of_both_hops_are_read_back() -> None:
    up, down = (Ack("ack", 1), EnvelopeMessage("envelope", b"e")), (Delivery("delivery", 1, b"e"),)

    assert up == read_up_frame(write_frame(up))
    assert down == read_down_frame(write_frame(down))


@pytest.mark.parametrize("shapes", [UP_SHAPES, DOWN_SHAPES])
def test_every_message_begins_with_its_type(shapes: dict[str, Any]) -> None:
    for kind, shape in shapes.items():
        assert (kind,) == get_args(shape.__annotations__["type"])


@pytest.mark.parametrize("surplus", [-1, 0, 1])
def test_a_frame_holds_so_many_messages_and_no_more(surplus: int) -> None:
    frame = write_frame((Ack("ack", 1),) * (FRAME_MESSAGES_MAX + surplus))
    if surplus <= 0:
        assert FRAME_MESSAGES_MAX + surplus == len(read_up_frame(frame))
        return
    with pytest.raises(RemoteError) as caught:
        read_up_frame(frame)
    assert Code.LIMIT is caught.value.code


@pytest.mark.parametrize("surplus", [0, 1])
def test_a_frame_is_bounded_in_bytes(surplus: int) -> None:
    """Five envelopes and a filler make a frame of exactly the limit, and of one more."""
    envelopes = (EnvelopeMessage("envelope", bytes(200_000)),) * 5
    filler = (
        FRAME_BYTES_MAX + surplus - len(write_frame((*envelopes, EnvelopeMessage("envelope", bytes(40_000))))) + 40_000
    )
    frame = write_frame((*envelopes, EnvelopeMessage("envelope", bytes(filler))))
    assert FRAME_BYTES_MAX + surplus == len(frame)
    if not surplus:
        assert 6 == len(read_up_frame(frame))
        return
    with pytest.raises(RemoteError) as caught:
        read_up_frame(frame)
    assert Code.TOO_BIG is caught.value.code


def test_messages_are_gathered_into_as_few_frames_as_the_limits_allow() -> None:
    small = [Ack("ack", number) for number in range(FRAME_MESSAGES_MAX + 1)]
    large = [Delivery("delivery", number, bytes(250_000)) for number in range(5)]

    assert [FRAME_MESSAGES_MAX, 1] == [len(read_up_frame(frame)) for frame in gather_frames(small)]
    frames = [read_down_frame(frame) for frame in gather_frames(large)]
    assert [4, 1] == [len(frame) for frame in frames]
    assert large == [message for frame in frames for message in frame]
    assert [] == gather_frames([])


# Errors.


def test_every_code_has_one_stage_and_every_stage_a_code() -> None:
    assert set(Code) == set(STAGE_OF)
    assert set(Stage) == set(STAGE_OF.values())
    assert all(Stage(STAGE_OF[code]) is RemoteError(code, "").stage for code in Code)


def test_what_is_meant_for_another_is_no_alarm() -> None:
    error = NotForMeError("no wrap")

    assert (Code.NOT_FOR_ME, Stage.UNWRAP) == (error.code, error.stage)


def test_our_own_slips_say_what_to_do() -> None:
    assert "do this" == LocalError("wrong", remedy="do this").remedy
    assert "" == LocalError("wrong").remedy


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = errors.__doc__ or ""
    found = {
        name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, SandiwaraError)
    }

    assert set() == {name for name in found if name not in drawn}
