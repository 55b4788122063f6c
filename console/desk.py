"""``sandiwara desk``: what people at a node do beyond sending reports: decide, recall, sign, ask, answer.

Reading verbs look into the node's database beside it. All others are acts: checked here as far as they can be, laid
into the node's outgoing folder, and carried out by the node, by whose rules they may still be refused.
"""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.console import Console

from agencies.deconflict import Identifier, spelling
from console.desk_acts import (
    Act,
    Answer,
    AnswerProduct,
    Ask,
    Compare,
    Decide,
    Decline,
    Deconflict,
    Forward,
    Object,
    Open,
    Override,
    Propose,
    Put,
    Recall,
    Release,
    Request,
    Step,
)
from console.desk_handing import hand_over_and_wait
from console.desk_read import read_message, read_recall, show_message, show_recall
from console.exits import Exit
from console.inbox import Inbox, read_inbox, title_of
from console.inbox_view import show_inbox
from console.label_options import agencies_meant, check_known, label_of, words
from console.node_reading import NodeReading, reading_node
from console.report_file import read_bytes, read_report
from console.screen import console, write_json
from policy.community import Community
from policy.life_safety import is_override_topic
from scenarios.values import read_distance_m, read_duration_ms, read_position
from schemas.errors import SealError, UsageError
from schemas.limits import PORTIONS_MAX
from transport.clock import SystemClock

T = TypeVar("T")
_READING: Final = frozenset({"inbox", "read", "recall-state"})
_SUBJECT_CHARS_MAX: Final = 1_000


def run(arguments: argparse.Namespace) -> int:
    """Read something, or have the node do something; 1 if it refuses, or if nothing of a message may be read."""
    now_ms = SystemClock().now_ms()
    with reading_node(Path(arguments.folder), arguments.agency, now_ms=now_ms) as reading:
        if arguments.verb in _READING:
            return _read(arguments, reading)
        community = reading.community()
        check_known("AGENCY", [arguments.agency], [item.agency for item in community.agencies], noun="agency")
        act = _acts()[arguments.verb](arguments, reading, community)
        part, runs = reading.part, reading.runs
    wait_ms = _duration(arguments.wait, "--wait") if runs else 0
    return hand_over_and_wait(
        act, part=part, agency=arguments.agency, runs=runs, wait_ms=wait_ms, as_json=arguments.json
    )


# Reading.


def _read(arguments: argparse.Namespace, reading: NodeReading) -> int:
    document: Any
    show: Callable[[Console, Any], None]
    if arguments.verb == "inbox":
        inbox: Inbox = read_inbox(reading, everything=arguments.all)
        document, show = inbox.as_document(), lambda screen, _document: show_inbox(screen, inbox)
    elif arguments.verb == "read":
        document, show = read_message(reading, reading.find(arguments.hid)), show_message
    else:
        document, show = read_recall(reading, reading.find(arguments.hid)), show_recall
    if arguments.json:
        write_json(document)
    else:
        show(console(), document)
    return Exit.NO if document.get("state") in {"recalled", "ended"} else Exit.OK


# From words to acts.

Make = Callable[[argparse.Namespace, NodeReading, Community], Act]


def _acts() -> dict[str, Make]:
    return {
        "request": _request,
        "decide": _decide,
        "forward": lambda given, reading, community: Forward(
            reading.find(given.hid), _bits(given.portions), _named(given.to, community), given.why
        ),
        "release": _release,
        "recall": lambda given, reading, _: Recall(reading.find(given.hid), given.why),
        "override": _override,
        "propose": _propose,
        "sign": lambda given, reading, _: AnswerProduct(reading.find(given.hid), "signed", ""),
        "refuse": lambda given, reading, _: AnswerProduct(reading.find(given.hid), "refused", given.why),
        "withdraw": lambda given, reading, _: AnswerProduct(reading.find(given.hid), "withdrawn", given.why),
        "put": _put,
        "object": lambda given, reading, _: Object(reading.find(given.hid), given.why),
        "ask": _ask,
        "answer": _answer,
        "decline": lambda given, reading, _: Decline(reading.find(given.hid), given.why),
        "deconflict": _deconflict,
        "task": _open,
        "offer": _open,
        "accept": lambda given, reading, _: Step(reading.find(given.hid), "accept", given.text),
        "done": lambda given, reading, _: Step(reading.find(given.hid), "done", given.text),
    }


def _request(given: argparse.Namespace, reading: NodeReading, community: Community) -> Act:
    hid = reading.find(given.hid)
    reader = given.reader or reading.agency
    (reader,) = _agencies("--for", [reader], community)
    subject = given.subject or title_of(reading, hid) or "a report"
    until = None if given.until is None else _duration(given.until, "--until")
    within = _duration(given.within, "--within")
    return Request(hid, reader, _bits(given.portions), subject[:_SUBJECT_CHARS_MAX], given.why, within, until)


def _decide(given: argparse.Namespace, reading: NodeReading, _community: Community) -> Act:
    if given.outcome == "refuse" and (given.message or given.portions or given.expires or given.conditions):
        msg = "a refusal releases nothing: --message, --portions, --expires and --conditions go with grant"
        raise UsageError(msg, remedy="leave them out")
    message = None if given.message is None else reading.find(given.message)
    lasts_ms = None if given.expires is None else _duration(given.expires, "--expires")
    bits = _bits(given.portions)
    return Decide(reading.find(given.hid), given.outcome, message, bits, given.conditions, given.why, lasts_ms)


def _put(given: argparse.Namespace, reading: NodeReading, community: Community) -> Act:
    mechanisms = [item.mechanism for item in community.bundle.mechanisms]
    check_known("MECHANISM", [given.mechanism], mechanisms, noun="mechanism")
    if (given.message is None) != (given.reader is None):
        msg = "--message and --for go together: what is to go, and to whom"
        raise UsageError(msg, remedy="give both, or neither where the matter is no release")
    message = None if given.message is None else reading.find(given.message)
    reader = None if given.reader is None else _agencies("--for", [given.reader], community)[0]
    within_ms = _duration(given.within, "--within")
    return Put(given.mechanism, message, reader, given.subject, given.why, within_ms)


def _override(given: argparse.Namespace, reading: NodeReading, community: Community) -> Act:
    authorities = [item.mechanism for item in community.bundle.mechanisms if is_override_topic(item.mechanism)]
    check_known("--authority", [given.authority], authorities, noun="life-safety authority")
    latitude, longitude = _place(read_position, given.position, "--position", "06-10.0N 099-20.0E")
    radius_m = _place(read_distance_m, given.radius, "--radius", "5nm")
    affected = _states("--affected", given.affected, community)
    to = _agencies("--to", given.to, community)
    return Override(
        reading.find(given.hid), given.authority, given.office, given.danger, latitude, longitude, radius_m,
        given.line, to, affected, given.why,
    )  # fmt: skip


def _propose(given: argparse.Namespace, reading: NodeReading, community: Community) -> Act:
    name, text = _file(given.file, reading, community)
    cosigners = _agencies("--cosigners", words([given.cosigners]), community)
    needed = len(cosigners) if given.needed is None else given.needed
    if not 1 <= needed <= len(cosigners):
        msg = f"--needed: {needed} of {len(cosigners)} co-signers"
        raise UsageError(msg, remedy="ask for one signature at least, and for all at most")
    include = tuple(reading.find(hid) for hid in given.include)
    to = agencies_meant(given.to, community)
    return Propose(name, text, to, cosigners, needed, include, f"the desk proposes {name}"[:_SUBJECT_CHARS_MAX])


def _release(given: argparse.Namespace, reading: NodeReading, community: Community) -> Act:
    lasts_ms = None if given.expires is None else _duration(given.expires, "--expires")
    to = _named(given.to, community)
    return Release(reading.find(given.hid), _bits(given.portions), to, given.conditions, given.why, lasts_ms)


def _ask(given: argparse.Namespace, _reading: NodeReading, community: Community) -> Act:
    label = label_of(given, None, community)
    within = _duration(given.within, "--within")
    return Ask(_named(given.to, community), label, given.subject, given.question, given.why, within)


def _answer(given: argparse.Namespace, reading: NodeReading, community: Community) -> Act:
    hid = reading.find(given.hid)
    written = given.file is not None or bool(given.include)
    if sum((written, bool(given.holding), given.holding_nothing)) != 1:
        msg = "an answer is FILE or --include or both, or --holding, or --holding-nothing"
        raise UsageError(msg, remedy="a question is answered by a text; an ask for hits by what is held")
    if not written:
        return Compare(hid, _identifiers("--holding", given.holding))
    name, text = ("", "") if given.file is None else _file(given.file, reading, community)
    return Answer(hid, name, text, tuple(reading.find(included) for included in given.include))


def _deconflict(given: argparse.Namespace, _reading: NodeReading, community: Community) -> Act:
    within = _duration(given.within, "--within")
    about = _identifiers("--about", given.about)
    return Deconflict(_agencies("AGENCY", given.to, community), about, given.subject, within)


def _open(given: argparse.Namespace, reading: NodeReading, community: Community) -> Act:
    answers = None if given.answers is None else reading.find(given.answers)
    affected = _states("--affected", given.affected, community)
    to = _agencies("AGENCY", given.to, community)
    return Open(answers, given.verb, to, given.subject, given.text, _duration(given.within, "--within"), affected)


# What the words may be.


def _named(given: Iterable[str], community: Community) -> tuple[str, ...]:
    return agencies_meant(list(given), community)


def _agencies(option: str, given: Iterable[str], community: Community) -> tuple[str, ...]:
    named = tuple(sorted(set(given)))
    check_known(option, named, [item.agency for item in community.agencies], noun="agency")
    return named


def _states(option: str, given: str, community: Community) -> tuple[str, ...]:
    named = words([given])
    check_known(option, named, {item.state for item in community.agencies if item.state is not None}, noun="state")
    return named


def _place(reader: Callable[[str], T], text: str, option: str, example: str) -> T:
    try:
        return reader(text)
    except ValueError as error:
        msg = f"{option}: {error}"
        raise UsageError(msg, remedy=f"write for example {option} '{example}'") from error


def _identifiers(option: str, given: Iterable[str]) -> tuple[Identifier, ...]:
    found = []
    for text in given:
        kind, _, value = text.strip().partition(" ")
        identifier = Identifier(kind, value.strip())
        try:
            spelling(identifier)
        except SealError as error:
            msg = f"{option}: '{text[:80]}' is no kind and value"
            raise UsageError(msg, remedy="write for example 'vessel-name Bunga Melati 7'") from error
        found.append(identifier)
    return tuple(found)


def _file(name: str, reading: NodeReading, community: Community) -> tuple[str, str]:
    """Read a report file whose form is right by the bundle in force; whether it may go is the node's to find."""
    path = Path(name)
    received = read_bytes(path)
    read_report(received, str(path), community=community, now_ms=reading.now_ms)
    return path.name, received.decode("utf-8-sig")


def _bits(text: str) -> int:
    """Return places such as ``0,2`` as bits; none are 0, which means all."""
    bits = 0
    for word in words([text]):
        if not (word.isascii() and word.isdigit() and int(word) < PORTIONS_MAX):
            msg = f"--portions: '{word[:20]}' is no place"
            raise UsageError(msg, remedy="write for example --portions 0,2; 'read' shows the place of each portion")
        bits |= 1 << int(word)
    return bits


def _duration(text: str, option: str) -> int:
    try:
        return read_duration_ms(text)
    except ValueError as error:
        msg = f"{option}: {error}"
        raise UsageError(msg, remedy=f"write for example {option} 2h") from error
