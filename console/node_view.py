"""What happens at a node, for people: reports in full on stdout, all else a line each."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console

from console.outcome_view import label_text
from console.screen import plain
from schemas.label import Label

_HID_CHARS: Final = 12
_TIMES: Final = frozenset({"answer_by", "by_when", "until", "expires", "object_by", "at"})
_SHOWN_APART: Final = frozenset({"label", "marking", "obligations", "place", "parents", "grant_ends_ms"})


def show_happening(screen: Console, happening: dict[str, Any]) -> None:
    """Print one happening."""
    if happening["event"] == "received":
        _show_report(screen, happening)
        return
    screen.print(plain(f"{clock_text(happening['at_ms'])}  {_line(happening)}", style="dim"), soft_wrap=True)


def clock_text(at_ms: int) -> str:
    """Return a time as people read it, in UTC."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}Z"


def _line(happening: dict[str, Any]) -> str:
    hid, text = (happening.get("hid") or "")[:_HID_CHARS], happening.get("text", "")
    lines: dict[str, Callable[[], str]] = {
        "link_up": lambda: "linked to the broker",
        "link_down": lambda: "the link is down; it is tried again",
        "bundle": lambda: f"version {happening['version']} of the bundle is in force here",
        "sent": lambda: _sent(hid, happening),
        "not_sent": lambda: f"{happening['file']} cannot be sent: {happening['reason']}",
        "accepted": lambda: f"{hid} accepted by the router",
        "refused": lambda: _refused(hid, happening),
        "overdue": lambda: f"{hid} OVERDUE: no receipt from {_named(happening)}{_undecided(happening)}",
        "settled_late": lambda: f"{hid} settled late: {_named(happening)} has receipted it after all",
        "expired": lambda: f"{hid} EXPIRED with no receipt from {_named(happening)}{_undecided(happening)}",
        "lapsed": lambda: (
            f"{hid} LAPSED: {happening['originator']} did not decide on the request of {happening['asker']} in time"
        ),
        "tainted": lambda: f"{hid} was recalled, and TAINTS what was made of it here: {_products(happening)}",
        "overridden": lambda: (
            f"{hid} OVERRIDDEN for life safety ({happening['danger']}) by {happening['invoker']}: "
            f"{happening['office']} under {happening['authority']} told {_named(happening)}"
        ),
        "grant_over": lambda: f"{hid}: the grant of {happening['originator']} to {happening['reader']} has ended",
        "answered": lambda: _answered(hid, happening),
        "unanswered": lambda: f"{hid} UNANSWERED: nothing from {happening['partner']} in time on {_asked(happening)}",
        "answer_due": lambda: f"{hid} ANSWER DUE: {happening['partner']} waits for one on {_asked(happening)}",
        "unarrived": lambda: (
            f"{happening['originator']} says that {happening['messages']} messages more were sent here: NOT ARRIVED"
        ),
        "done": lambda: done_text(happening),
        "objection_received": lambda: f"{hid} OBJECTED to by {happening['member']}{_because(happening)}",
        "silence_over": lambda: _silence_over(hid, happening),
        "cosign_received": lambda: f"{hid} {happening['answer'].upper()} by {happening['member']}{_because(happening)}",
        "joint_released": lambda: f"{hid} released in the name of all who signed, to {_named(happening)}",
        "joint_reissued": lambda: _made_again(hid, happening),
        "disk_full": lambda: f"DISK FULL: read-only; nothing is accepted or acked until there is room: {text}",
        "disk_has_room": lambda: "the disk has room again; the node goes on",
        "receipt": lambda: f"{hid} {happening['status']} by {happening['reader']}",
        "recalled": lambda: f"{hid} recalled by its originator and erased here",
        "misreleased": lambda: f"{hid} held a portion not meant for here, by {happening['rule']}",
    }
    return lines[happening["event"]]()


def _silence_over(hid: str, happening: dict[str, Any]) -> str:
    what = f"'{happening['subject']}' among the members of {happening['mechanism']}"
    match happening["outcome"]:
        case "permitted":
            return f"{hid} NO OBJECTION to {what}"
        case "opposed":
            return f"{hid} STOPPED by {', '.join(happening['objectors'])}: {what}"
        case _:
            absent = ", ".join(happening["absent"])
            return f"{hid} NOT AGREED: {what} did not come to {absent} in time, and who was not asked was not silent"


def _sent(hid: str, happening: dict[str, Any]) -> str:
    parts = [f"{name} (portion {', '.join(map(str, found))})" for name, found in happening["audience"].items()]
    left_out = [f"{name} by {rule}" for name, rule in happening["left_out"].items()]
    without = f"; not to {', '.join(left_out)}" if left_out else ""
    if not parts:
        return f"{happening['file']}: nobody may receive any of it{without}"
    return f"{happening['file']} sent as {hid} to {', '.join(parts)}{without}"


def done_text(happening: dict[str, Any]) -> str:
    """Write what became of an act that was handed over."""
    left_out = [f"{name} by {rule}" for name, rule in sorted(happening["left_out"].items())]
    without = f"; not to {', '.join(left_out)}" if left_out else ""
    if not happening["hids"]:
        return f"{happening['act']}: nobody may receive any of it{without}" if left_out else f"{happening['act']}: done"
    hids = ", ".join(hid[:_HID_CHARS] for hid in happening["hids"])
    readers = f" to {', '.join(happening['readers'])}" if happening.get("readers") else ""
    return f"{happening['act']} went as {hids}{readers}{without}"


def _because(happening: dict[str, Any]) -> str:
    return f": {happening['reason']}" if happening["reason"] else ""


def _made_again(hid: str, happening: dict[str, Any]) -> str:
    made = f"made again as {hid}" if hid else "nothing is left of it"
    without = f" without {', '.join(happening['without'])}" if happening["without"] else ""
    return f"{happening['of'][:_HID_CHARS]} taken back, {made}{without}"


def _answered(hid: str, happening: dict[str, Any]) -> str:
    outcome = happening["outcome"].replace("_", " ").upper()
    return f"{hid} {outcome}: {_asked(happening)}, between here and {happening['partner']}"


def _asked(happening: dict[str, Any]) -> str:
    subject = f" '{happening['subject']}'" if happening["subject"] else ""
    return f"the {happening['exchange']}{subject}"


def _named(happening: dict[str, Any]) -> str:
    return ", ".join(happening["readers"]) or "nobody"


def _products(happening: dict[str, Any]) -> str:
    return ", ".join(product[:_HID_CHARS] for product in happening["products"])


def _undecided(happening: dict[str, Any]) -> str:
    return "" if happening["accepted"] else "; the router has not accepted it either"


def _refused(hid: str, happening: dict[str, Any]) -> str:
    refusals = [f"{item['reader']} by {item['rule']}" for item in happening["refusals"]]
    return f"{hid} REFUSED by the router, {happening['code']}: {', '.join(refusals) or 'as a whole'}"


def _duty(obligation: str, originator: str) -> str:
    """Write what a reader takes on as it would be said to it."""
    name, _, operand = obligation.partition(":")
    duties = {
        "CONSENT-BEFORE-ONWARD": f"ask {originator} before this goes to anybody else",
        "PURPOSE": f"use this for {operand} alone, and for nothing else",
        "PAP": f"do no more with this than PAP:{operand} allows",
        "ACKNOWLEDGE": f"acknowledge this to {originator}",
    }
    return duties[name]


def _signers(report: dict[str, Any]) -> str:
    signed = f"co-signed by {', '.join(report['cosigned'])}" if report["cosigned"] else "co-signed by nobody"
    return f"{signed}; NOT signed by {', '.join(report['unsigned'])}" if report["unsigned"] else signed


def _show_report(screen: Console, report: dict[str, Any]) -> None:
    screen.rule(style="dim")
    first = report["portions"][0] if report["portions"] else {}
    title = first.get("title") or first.get("subject") or report["kind"]
    screen.print(plain(f"EXERCISE  {title}", style="bold"))
    ref = f", corrects {report['ref'][:_HID_CHARS]}" if report["ref"] and report["kind"] == "report" else ""
    kind = "" if report["kind"] == "report" else f"{report['kind']} "
    screen.print(
        plain(f"{kind}from {report['originator']}, {clock_text(report['at_ms'])}, {report['hid'][:_HID_CHARS]}{ref}")
    )
    if "unsigned" in report:
        screen.print(plain(_signers(report), style="bold" if report["unsigned"] else ""))
    for portion in report["portions"]:
        place = f"place {portion['place']}  " if "place" in portion else ""
        screen.print(plain(f"{place}{label_text(Label(**portion['label']))}", style="cyan"))
        show_lineage(screen, portion)
        # A step of a coordination has a text too, and no title.
        if "title" not in portion:
            for name, value in portion.items():
                if name not in _SHOWN_APART and value not in {None, ""}:
                    said = clock_text(value) if name in _TIMES else value
                    screen.print(plain(f"  {name.replace('_', ' ')}: {said}"), soft_wrap=True)
            continue
        for obligation in portion["obligations"]:
            screen.print(plain(f"  {_duty(obligation, report['originator'])}", style="cyan"))
        if portion["title"] != title:
            screen.print(plain(portion["title"], style="bold"))
        screen.print(plain(portion["text"], lines=True))
        for item in portion["indicators"]:
            note = f"  ({item['note']})" if item["note"] else ""
            screen.print(plain(f"  {item['kind']}: {item['value']}{note}"))
    screen.print()


def show_lineage(screen: Console, portion: dict[str, Any]) -> None:
    """Print what a portion was made from, and until when it may be held."""
    for parent in portion.get("parents", ()):
        screen.print(plain(f"  from {parent['hid'][:_HID_CHARS]}, {parent['state']}", style="dim"))
    if portion.get("grant_ends_ms") is not None:
        screen.print(plain(f"  by a grant that ends at {clock_text(portion['grant_ends_ms'])}", style="cyan"))
