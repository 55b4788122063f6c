"""Layer L4, life-safety overrides (H16): by whom they may not be made, for whom, of what, and how long they may be."""

from functools import partial
from typing import Any

from conformance.evil_audiences import L4
from conformance.evil_book import Made, Row, enter_rows, envelope, read, route, sealed, world
from conformance.evil_sealer import cut
from policy.life_safety import override_label
from schemas.codec import pack
from schemas.errors import Code
from schemas.label import Label
from schemas.limits import OVERRIDE_PADDED_BYTES_MAX, OVERRIDES_MAX
from schemas.report import Passage
from schemas.workflow import CoordContent, OverrideContent

_AUTHORITY = "life-safety.sar"
_NOBODYS = "life-safety.sea"
_COORD = world.LABEL._replace(topic="workflow.coord")
_TASK = pack(CoordContent("EXERCISE", "task", "board the boat", "", None))


def _label(*readers: str, authority: str = _AUTHORITY) -> Label:
    return override_label(authority=authority, readers=tuple(sorted(readers)), affected=(), lowest_level="EX-UNCLAS")


def _content(text: str = "Boat adrift, 140 aboard.", **changes: Any) -> bytes:
    line = (Passage(None, text),)
    content = OverrideContent(
        "EXERCISE", "duty controller", "vessel-adrift", 6_100_000, 99_300_000, 9_000, world.NOW, line
    )
    return pack(content._replace(**changes))


_TELLING = _label("alpha", "india")
_TEXT = _content()
_LINE_BYTES_MAX = OVERRIDE_PADDED_BYTES_MAX - 1 - len(_content("")) - 2  # of an empty line the length takes one byte
_LONGEST = _content("x" * _LINE_BYTES_MAX)


def _report() -> tuple[bytes, tuple[str, bytes]]:
    """Alpha tells bravo, charlie and golf of a boat; returns the report's id and what was sent."""
    readers = tuple((reader, (0,)) for reader in ("bravo", "charlie", "golf"))
    message, made = sealed(name="a boat", labels=(world.LABEL,), readers=readers)
    return message.hid, ("alpha", made)


def _plan(by: str = "bravo", *, told: tuple[str, ...] = ("alpha", "india"), **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": "override", "kind": "override", "by": (by,), "ref": _report()[0]}
    fields |= {"labels": (_label(*told),), "contents": (_TEXT,), "readers": tuple((reader, (0,)) for reader in told)}
    return fields | changes


def _override(by: str = "bravo", *, earlier: tuple[Any, ...] = (), **changes: Any) -> Made:
    """Let bravo tell india, and alpha, of alpha's report."""
    return route(envelope(**_plan(by, **changes)), sender=by, earlier=(_report()[1], *earlier))


def _before(count: int) -> tuple[tuple[str, bytes], ...]:
    """Return overrides of the same report by bravo that came before."""
    return tuple(("bravo", envelope(**_plan(name=f"override {number}"))) for number in range(count))


@L4.accepts("route", "RTR-054", "RTR-056", "RTR-057", "NTK-059", "NTK-061", why="control")
def override_of_a_report() -> Made:
    """An agency that may invoke the authority tells who can help, and the originator, whom no rule permits."""
    return _override()


@L4.accepts("route", "RTR-053", base="override_of_a_report", mutation="the longest text", why="control")
def override_of_the_longest() -> Made:
    """A text of as many bytes as there may be."""
    return _override(contents=(_LONGEST,))


@L4.accepts("route", "RTR-054", base="override_of_a_report", mutation="for the last time", why="control")
def override_for_the_last_time() -> Made:
    """As often as a report may be overridden by one agency."""
    return _override(name="the last", earlier=_before(OVERRIDES_MAX - 1))


@L4.accepts("read", "OVR-001", why="control")
def override_to_who_can_help() -> Made:
    """The reader opens the longest text that there may be."""
    return read(envelope(**_plan(contents=(_LONGEST,))), me="india", plaintexts=(_LONGEST,))


def _rows_of_reports() -> tuple[Row, ...]:
    hid, first = _report()
    recall = envelope(
        name="recall", kind="recall", ref=hid, labels=(),
        readers=tuple((reader, ()) for reader in ("bravo", "charlie", "golf")),
    )  # fmt: skip
    task, asked = sealed(name="task", kind="coord", labels=(_COORD,), contents=(_TASK,), readers=(("bravo", (0,)),))
    held = "what nobody gave could be told all the same, or whoever guesses an id could learn whether it exists"
    carried = "the rules for those in danger would carry any report past its originator"
    return (
        ("override_of_nothing", Code.REFERENCE, "RTR-054", "An override that names no report.", held, None,
         lambda: _override(ref=None)),
        ("override_of_the_unknown", Code.REFERENCE, "RTR-054", "An override of what was never sent.", held, None,
         lambda: _override(ref=bytes(32))),
        ("override_by_who_never_had_it", Code.REFERENCE, "RTR-054", "An override by who never had the report.", held,
         "Existence", lambda: _override("india")),
        ("override_of_ones_own", Code.REFERENCE, "RTR-054", "An originator overrides itself.",
         "it needs nobody's consent, and its report would go by another label", None, lambda: _override("alpha")),
        ("override_of_a_task", Code.REFERENCE, "RTR-054", "An override of a task.",
         "a task is between two, and holds no danger that its opener could not tell", None,
         lambda: route(envelope(**_plan(ref=task.hid)), sender="bravo", earlier=(first, ("alpha", asked)))),
        ("override_of_the_recalled", Code.RECALLED, "RTR-055", "Its originator has taken the report back.",
         "what was wrong would go out once more", "Recall", lambda: _override(earlier=(("alpha", recall),))),
        ("override_once_too_often", Code.REFERENCE, "RTR-064", "One override more than there may be.",
         "a report could be handed on in pieces", None, lambda: _override(name="more", earlier=_before(OVERRIDES_MAX))),
        ("override_by_the_topic_of_a_report", Code.REFERENCE, "RTR-052", "An override under the topic of reports.",
         carried, None, lambda: _override(labels=(world.LABEL,))),
        ("report_by_the_topic_of_an_override", Code.REFERENCE, "RTR-052", "A report under the topic of an override.",
         carried, None,
         lambda: route(envelope(by=("bravo",), labels=(_TELLING,), readers=(("india", (0,)),)), sender="bravo")),
        ("override_of_two_portions", Code.REFERENCE, "RTR-053", "A second portion.", carried, None,
         lambda: _override(labels=(_TELLING, _TELLING), contents=(_TEXT, _TEXT))),
        ("override_with_a_cosigner", Code.REFERENCE, "RTR-053", "Golf is named as a co-signer.",
         "the lead of a draft could show it to whom it likes", None,
         lambda: route(envelope(**_plan() | {"by": ("bravo", "golf")}), sender="bravo", earlier=(first,))),
        ("override_one_byte_too_long", Code.REFERENCE, "RTR-053", "A text one byte longer than the longest.", carried,
         None, lambda: _override(contents=(_content("x" * (_LINE_BYTES_MAX + 1)),))),
    )  # fmt: skip


def _rows_of_readers() -> tuple[Row, ...]:
    untold = "an originator would learn last of all that its report was given away"
    named = "what the label says of its readers would not be true"
    right = "whoever holds a report could hand it on by calling it an emergency"
    narrow = "an override would carry what it is not for"
    return (
        ("override_without_its_originator", Code.AUDIENCE, "RTR-057", "Alpha is not told.", untold, None,
         lambda: _override(told=("bravo", "india"))),
        ("override_that_names_whom_it_leaves_out", Code.AUDIENCE, "RTR-056", "Alpha is named and has no wrap.", untold,
         None, lambda: _override(readers=(("india", (0,)),))),
        ("override_to_who_is_not_named", Code.AUDIENCE, "RTR-056", "Golf has a wrap and is not named.", named, None,
         lambda: _override(readers=(("alpha", (0,)), ("golf", (0,)), ("india", (0,))))),
        ("override_to_whom_no_rule_permits", Code.AUDIENCE, "NTK-029", "Golf can help nobody.", right, None,
         lambda: _override(told=("alpha", "golf", "india"))),
        ("override_by_an_observer", Code.AUDIENCE, "NTK-059", "Charlie attends the authority.", right, None,
         lambda: _override("charlie")),
        ("override_by_no_member", Code.AUDIENCE, "NTK-059", "Golf has no part in the authority.", right, None,
         lambda: _override("golf")),
        ("override_under_no_authority", Code.AUDIENCE, "NTK-059", "An authority that the bundle does not name.", right,
         None, lambda: _override(labels=(_label("alpha", "india", authority=_NOBODYS),))),
        *(
            (f"override_{name}", Code.AUDIENCE, "NTK-060", fault, narrow, None,
             partial(_override, labels=(_TELLING._replace(**changed),)))
            for name, fault, changed in (
                ("under_green", "The mark GREEN.", {"tlp": "GREEN"}),
                ("at_a_higher_level", "A level above the lowest.", {"level": "EX-RESTRICTED"}),
                ("of_routine", "The precedence ROUTINE.", {"precedence": "ROUTINE"}),
                ("under_orcon", "The caveat ORCON.", {"caveats": ("ORCON",)}),
                ("under_embargo", "An embargo that is over.", {"not_before": world.NOW - 1}),
                ("to_a_state", "A state among the readers.", {"rel": ("LAO", "alpha", "india")}),
            )
        ),
    )  # fmt: skip


enter_rows(L4, (*_rows_of_reports(), *_rows_of_readers()), op="route", base="override_of_a_report")


def _text(content: bytes) -> Made:
    return read(envelope(**_plan(contents=(content,))), me="india")


def _rows_of_texts() -> tuple[Row, ...]:
    plain = "what goes out without consent would be anything at all"
    return (
        ("override_too_long_to_read", Code.CONTENT, "OVR-001", "A text one byte longer than the longest.", plain, None,
         lambda: _text(_content("x" * (_LINE_BYTES_MAX + 1)))),
        ("override_of_an_unknown_danger", Code.CONTENT, "ENV-046", "A danger that is none of the list.", plain, None,
         lambda: _text(_content(danger="press-interest"))),
        ("override_off_the_earth", Code.CONTENT, "ENV-046", "A latitude of ninety-one degrees.", plain, None,
         lambda: _text(_content(latitude_micro=91_000_000))),
        ("override_without_a_line", Code.CONTENT, "ENV-046", "No line at all.", plain, None,
         lambda: _text(_content(line=()))),
        ("override_without_marking", Code.CONTENT, "ENV-045", "An override that does not say that it is an exercise.",
         "a rescue would be sent out in earnest", None, lambda: _text(_content(marking="REAL"))),
    )  # fmt: skip


enter_rows(L4, _rows_of_texts(), op="read", base="override_to_who_can_help")


@L4.accepts("take", "OVR-007", why="control")
def override_taken_up() -> Made:
    """A reader takes an override up."""
    return Made(cut(envelope(**_plan()), "india"), {"me": "india", "earlier": []})


def _rows_of_topics() -> tuple[Row, ...]:
    lying = "a router that lies would bring any report past its reader's rules"
    report = {"by": ("bravo",), "readers": (("alpha", (0,)), ("india", (0,)))}
    return (
        ("report_read_by_the_topic_of_an_override", Code.REFERENCE, "OVR-007", "A report under an override's topic.",
         lying, None, lambda: _taken("india", **report, labels=(_TELLING,))),
        ("override_read_by_the_topic_of_a_report", Code.REFERENCE, "OVR-007", "An override under a report's topic.",
         lying, None, lambda: _taken("alpha", **_plan(labels=(world.LABEL,)))),
    )  # fmt: skip


def _taken(me: str, **plan: Any) -> Made:
    return Made(cut(envelope(**plan), me), {"me": me, "earlier": []})


enter_rows(L4, _rows_of_topics(), op="take", base="override_taken_up")
