"""Layer L4, questions and coordination: answers by whom nobody asked, and to whom nobody may answer."""

from typing import Any

from conformance.evil_audiences import L4
from conformance.evil_book import Made, Row, enter_rows, envelope, plan, read, route, sealed, world
from schemas.codec import pack
from schemas.errors import Code
from schemas.workflow import CoordContent, RfiContent

_COORD = world.LABEL._replace(topic="workflow.coord")
_RFI = pack(RfiContent("EXERCISE", "the boat", "Where is it bound?", "a boarding", world.NOW + world.DAY_MS))
_TASK = pack(CoordContent("EXERCISE", "task", "board the boat", "", None))
_OFFER = pack(CoordContent("EXERCISE", "offer", "two ships", "", None))
_ACCEPT = pack(CoordContent("EXERCISE", "accept", "board the boat", "", None))
_POINT = bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666")  # the base point
_ASK = ("EXERCISE", "ask", (_POINT,) * 16)
_REPLY = ("EXERCISE", "reply", (_POINT,) * 16, (_POINT,) * 64)


def _question() -> tuple[bytes, tuple[str, bytes]]:
    """Alpha asks bravo and golf; returns the message's id and what was sent."""
    both = (("bravo", (0,)), ("golf", (0,)))
    message, made = sealed(name="rfi", kind="rfi", labels=(world.LABEL,), contents=(_RFI,), readers=both)
    return message.hid, ("alpha", made)


def _answer(by: str = "bravo", reader: str = "alpha", **changes: Any) -> Made:
    hid, asked = _question()
    first = envelope(name="a report")
    fields = {"name": "answer", "kind": "answer", "by": (by,), "ref": hid, "labels": (world.LABEL,)}
    fields |= {"readers": ((reader, (0,)),), **changes}
    return route(envelope(**fields), sender=by, earlier=(asked, ("alpha", first)))


def _step(by: str = "bravo", *readers: str, **changes: Any) -> Made:
    """Let an agency answer alpha's task for bravo."""
    only = (("bravo", (0,)),)
    message, made = sealed(name="task", kind="coord", labels=(_COORD,), contents=(_TASK,), readers=only)
    fields = {"name": "step", "kind": "coord", "by": (by,), "ref": message.hid, "labels": (_COORD,)}
    fields |= {"contents": (_ACCEPT,), "readers": tuple((reader, (0,)) for reader in readers or ("alpha",)), **changes}
    return route(envelope(**fields), sender=by, earlier=(("alpha", made),))


@L4.accepts("route", "RFI-003", "RFI-004", why="control")
def answer_to_the_asker() -> Made:
    """Bravo answers what alpha asked it."""
    return _answer()


@L4.accepts("route", "CRD-002", why="control")
def step_of_a_coordination() -> Made:
    """Bravo accepts what alpha asked of it."""
    return _step()


def _help(by: str, reader: str, affected: str, *, ref: bytes | None = None) -> bytes:
    """Let an agency offer help to another, for the states that are named."""
    label = _COORD._replace(affected=(affected,))
    fields = {"name": f"help by {by}", "kind": "coord", "by": (by,), "ref": ref, "labels": (label,)}
    return envelope(**fields, contents=(_OFFER,), readers=((reader, (0,)),))


def _help_asked() -> tuple[bytes, tuple[str, bytes]]:
    """Alpha, of the affected state, asks bravo for help; returns the message's id and what was sent."""
    label = _COORD._replace(affected=("MYS",))
    fields: dict[str, Any] = {"labels": (label,), "contents": (_TASK,), "readers": (("bravo", (0,)),)}
    message, made = sealed(name="help", kind="coord", **fields)
    return message.hid, ("alpha", made)


@L4.accepts("route", "CRD-016", why="control")
def offer_of_help_that_was_asked_for() -> Made:
    """Bravo answers what the affected state asked of it."""
    hid, asked = _help_asked()
    return route(_help("bravo", "alpha", "MYS", ref=hid), sender="bravo", earlier=(asked,))


def _help_for_another_state() -> Made:
    hid, asked = _help_asked()
    return route(_help("bravo", "alpha", "IDN", ref=hid), sender="bravo", earlier=(asked,))


def _help_about_a_report() -> Made:
    report, made = sealed(name="a report", labels=(world.LABEL,), readers=(("bravo", (0,)),))
    return route(_help("bravo", "alpha", "MYS", ref=report.hid), sender="bravo", earlier=(("alpha", made),))


def _help_rows() -> tuple[Row, ...]:
    early = "offers nobody has asked for take the affected state's control away"
    return (
        ("offer_of_help_before_it_is_asked_for", Code.AUDIENCE, "CRD-016", "Bravo offers help to a state unasked.",
         early, None, lambda: route(_help("bravo", "alpha", "MYS"), sender="bravo")),
        ("help_asked_for_another_state", Code.AUDIENCE, "CRD-016", "Alpha asks for help for Indonesia.", early, None,
         lambda: route(_help("alpha", "bravo", "IDN"))),
        ("offer_for_another_state_than_asked", Code.AUDIENCE, "CRD-016", "An offer for a state that has not asked.",
         early, None, _help_for_another_state),
        ("offer_of_help_about_a_report", Code.AUDIENCE, "CRD-016", "An offer that refers to a report.",
         "news of a disaster is no call for help", None, _help_about_a_report),
    )  # fmt: skip


enter_rows(L4, _help_rows(), op="route", base="offer_of_help_that_was_asked_for")


def _router_rows() -> tuple[Row, ...]:
    unasked = "whoever guesses an id could learn whether it is a question, or put words into an answer"
    alone = "what was asked in confidence would be answered in public"
    return (
        ("answer_without_a_question", Code.REFERENCE, "RFI-003", "An answer that names no question.", unasked, None,
         lambda: _answer(ref=None)),
        ("answer_to_the_unknown", Code.REFERENCE, "RFI-003", "An answer to what the router has never seen.", unasked,
         None, lambda: _answer(ref=bytes(32))),
        ("answer_to_a_report", Code.REFERENCE, "RFI-003", "An answer to a report.", unasked, None,
         lambda: _answer(ref=sealed(name="a report")[0].hid)),
        ("answer_by_the_unasked", Code.REFERENCE, "RFI-003", "Charlie, who was not asked, answers.", unasked,
         "Existence", lambda: _answer("charlie")),
        ("answer_by_the_asker", Code.REFERENCE, "RFI-003", "Alpha answers itself, to bravo.", unasked, None,
         lambda: _answer("alpha", "bravo")),
        ("answer_to_another", Code.AUDIENCE, "RFI-004", "Bravo answers golf, who was asked too.", alone, "Existence",
         lambda: _answer(reader="golf")),
        ("answer_to_all", Code.AUDIENCE, "RFI-004", "Bravo answers alpha and golf.", alone, "Existence",
         lambda: _answer(readers=(("alpha", (0,)), ("golf", (0,))))),
        ("coordination_to_two", Code.AUDIENCE, "CRD-001", "A task for two.",
         "an acceptance would be read by whom it does not concern", None,
         plan(kind="coord", labels=(_COORD,), contents=(_TASK,), readers=(("bravo", (0,)), ("golf", (0,))))),
        ("coordination_by_a_third", Code.REFERENCE, "CRD-002", "Golf accepts what bravo was asked.", unasked,
         "Existence", lambda: _step("golf")),
        ("coordination_to_a_third", Code.REFERENCE, "CRD-002", "Bravo answers golf about alpha's task.", unasked,
         "Existence", lambda: _step("bravo", "golf")),
        ("coordination_about_the_unknown", Code.REFERENCE, "CRD-002", "A step in a thread that was never opened.",
         unasked, None, lambda: _step(ref=bytes(32))),
        ("report_with_topic_of_coordination", Code.REFERENCE, "RTR-041", "A report under the topic of coordination.",
         "the rule that carries it would carry the report to everybody", None,
         plan(labels=(_COORD,), readers=(("bravo", (0,)),))),
    )  # fmt: skip


enter_rows(L4, _router_rows(), op="route", base="answer_to_the_asker")


def _text(kind: str, value: tuple[Any, ...], *, accepted: bool = False) -> Made:
    label = world.LABEL if kind == "rfi" else _COORD
    content = pack(value)
    made = envelope(kind=kind, labels=(label,), contents=(content,), readers=(("bravo", (0,)),))
    return read(made, plaintexts=(content,) if accepted else None)


@L4.accepts("read", "ENV-046", why="control")
def ask_for_deconfliction() -> Made:
    """Sixteen points."""
    return _text("coord", _ASK, accepted=True)


@L4.accepts("read", "ENV-046", base="ask_for_deconfliction", mutation="64 points held", why="control")
def reply_of_the_least_size() -> Made:
    """A reply with as few points as there may be."""
    return _text("coord", _REPLY, accepted=True)


def _reader_rows() -> tuple[Row, ...]:
    size = "the number of points would tell what is asked or held"
    shape = "what everybody may send must be nothing but what it is for"
    return (
        ("ask_of_15_points", Code.CONTENT, "ENV-046", "An ask of 15 points.", size, None,
         lambda: _text("coord", (*_ASK[:2], (_POINT,) * 15))),
        ("ask_of_17_points", Code.CONTENT, "ENV-046", "An ask of 17 points.", size, None,
         lambda: _text("coord", (*_ASK[:2], (_POINT,) * 17))),
        ("point_of_31_bytes", Code.CONTENT, "ENV-046", "An ask with a point of 31 bytes.", shape, None,
         lambda: _text("coord", (*_ASK[:2], (_POINT[:31], *(_POINT,) * 15)))),
        ("reply_of_63_points_held", Code.CONTENT, "ENV-046", "A reply with 63 points held.", size, None,
         lambda: _text("coord", (*_REPLY[:3], (_POINT,) * 63))),
        ("reply_of_1025_points_held", Code.CONTENT, "ENV-046", "A reply with 1,025 points held.", size, None,
         lambda: _text("coord", (*_REPLY[:3], (_POINT,) * 1_025))),
        ("coordination_act_unknown", Code.CONTENT, "CRD-003", "An act that is not known.", shape, None,
         lambda: _text("coord", ("EXERCISE", "order", "board the boat", "", None))),
        ("coordination_without_marking", Code.CONTENT, "ENV-045", "A task that does not say that it is an exercise.",
         shape, None, lambda: _text("coord", ("REAL", "task", "board the boat", "", None))),
        ("rfi_without_time", Code.CONTENT, "RFI-001", "A question that does not say by when.",
         "nobody could say that it was not answered in time", None,
         lambda: _text("rfi", ("EXERCISE", "the boat", "Where is it bound?", "a boarding", None))),
    )  # fmt: skip


enter_rows(L4, _reader_rows(), op="read", base="ask_for_deconfliction")
