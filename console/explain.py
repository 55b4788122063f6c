"""``sandiwara explain``: who may have a portion, by which rule, and the nearest change that would turn it."""

import argparse
from typing import TYPE_CHECKING, Any

from console.exits import Exit
from console.label_options import check_known, label_of
from console.screen import console, plain, write_json
from policy.community import Community
from policy.enquiry import Enquiry
from policy.explain import Asker, Change, Explanation, explain, explain_audience, nearest_change
from policy.preflight import PortionAudience, preflight
from policy.verdict import Verdict
from scenarios.catalogue import find_pack
from scenarios.pack import load_pack
from scenarios.placeholder_community import compile_community
from scenarios.values import datetime_ms, read_datetime, read_exercise_time_ms
from schemas.errors import UsageError

if TYPE_CHECKING:
    from schemas.label import Label


def run(arguments: argparse.Namespace) -> int:
    """Explain one verdict, or a portion's whole audience; 1 if it, or nobody, may have the portion."""
    pack = load_pack(find_pack(arguments.pack))
    community = compile_community(pack)
    ids = [agency.agency for agency in community.agencies]
    check_known("--from", [arguments.sender], ids, noun=f"agency of {pack.header.pack}")
    if arguments.to is not None:
        check_known("--to", [arguments.to], ids, noun=f"agency of {pack.header.pack}")
    if arguments.label is not None:
        check_known("--label", [arguments.label], pack.labels, noun=f"label of {pack.header.pack}")
    label = label_of(arguments, pack.labels.get(arguments.label or ""), community)
    at_ms = _read_at(arguments.at, pack.start_ms)
    asker = Asker(arguments.asker)
    if arguments.to is not None:
        return _explain_one(arguments, label, at_ms, asker, community)
    if asker is Asker.RECIPIENT:
        msg = "a recipient may ask about itself alone"
        raise UsageError(msg, remedy="name it by --to")
    (audience,) = preflight([label], originator=arguments.sender, at_ms=at_ms, community=community)
    others = [agency for agency in audience.permitted if agency != arguments.sender]
    if arguments.json:
        write_json(_audience_document(arguments.sender, at_ms, audience, others))
    else:
        _show(explain_audience(audience))
    return Exit.OK if others else Exit.NO


def _explain_one(arguments: argparse.Namespace, label: "Label", at_ms: int, asker: Asker, community: Community) -> int:
    enquiry = Enquiry(label=label, originator=arguments.sender, recipient=arguments.to, at_ms=at_ms)
    verdict = enquiry.decide(community)
    change = None if verdict.permit else nearest_change(enquiry, verdict, community)
    asked_by = arguments.to if asker is Asker.RECIPIENT else arguments.sender
    explanation = explain(verdict, recipient=arguments.to, asker=asker, asked_by=asked_by, change=change)
    if arguments.json:
        # A recipient that may not know is told by machine what it is told in words: nothing.
        silent = asker is Asker.RECIPIENT and not verdict.permit
        document: dict[str, Any] = {"headline": explanation.headline}
        if not silent:
            document |= _verdict_document(arguments, at_ms, verdict, None if asker is Asker.RECIPIENT else change)
        write_json(document)
    else:
        _show(explanation)
    return Exit.OK if verdict.permit else Exit.NO


def _read_at(text: str | None, start_ms: int) -> int:
    if text is None:
        return start_ms
    try:
        return start_ms + read_exercise_time_ms(text) if text.startswith("T") else datetime_ms(read_datetime(text))
    except ValueError as error:
        msg = f"--at: {error}"
        raise UsageError(msg, remedy="write for example T+3h or '2027-03-14 03:10 +07'") from error


def _show(explanation: Explanation) -> None:
    screen = console()
    screen.print(plain(explanation.headline, style="bold"))
    for line in explanation.lines:
        style = "red" if line.startswith("FAIL") else "cyan" if line.startswith("nearest change") else ""
        screen.print(plain(f"  {line}", style=style), soft_wrap=not screen.is_terminal)


def _verdict_document(
    arguments: argparse.Namespace, at_ms: int, verdict: Verdict, change: Change | None
) -> dict[str, Any]:
    return {
        "originator": arguments.sender,
        "recipient": arguments.to,
        "at_ms": at_ms,
        "permit": verdict.permit,
        "rule": verdict.rule,
        "reasons": [
            {"rule": item.rule, "passed": item.passed, "text": item.text, "cites": item.cites}
            for item in verdict.reasons
        ],
        "obligations": list(verdict.obligations),
        "nearest_change": None
        if change is None
        else {"subject": str(change.subject), "text": change.text, "others": change.others},
    }


def _audience_document(sender: str, at_ms: int, audience: PortionAudience, others: list[str]) -> dict[str, Any]:
    return {
        "originator": sender,
        "at_ms": at_ms,
        "label": audience.label._asdict(),
        "permitted": others,
        "refused": [
            {
                "agency": agency,
                "rule": verdict.rule,
                "reason": next((item.text for item in verdict.reasons if not item.passed), ""),
            }
            for agency, verdict in audience.refused
        ],
    }
