"""The record of an exercise: one JSON object a line, from EXCON, the router and every node.

Evaluation reads nothing else (besides the pack), so that whatever plays a pack (real MQTT, a simulated network,
people) is judged alike. The router's record holds labels, ids and decisions; content is only in the records of the
nodes that could read it, and there only as opaque passage ids.

Files: ``record/excon.jsonl``, ``record/router.jsonl``, ``record/<agency>.jsonl``. Every line has

    source, number (from 1, without gaps), at_ms (exercise time, Unix ms), wall_ms (milliseconds of real time since
    STARTEX), stage, and the fields of its stage; ids of messages are lower-case hex.

Stages of EXCON
    commex            agencies, silent   (the communications check: whose box key nobody could find)
    startex           pack, digest, seed
    endex             reason
    bundle_changed    change, version, steps [text], why, signed_by   (the community is another from here on)
    inject_released   inject, to
    inject_delivered  inject, agency, passages
    branch_taken      branch, outcome ("then" or "otherwise"), because (text), injects
    red_tried         act, kind, who, victim, line, to, tried (text), hids   (an act of the adversary: the messages that
                      it made or used)
    red_left          act, kind, because   (one that was not done, or not to its end)
    red_lied          act, hid, originator   (a delivery that was kept back, changed or shown to others)
    red_read, red_shut   act, hid, kind; originator and passages, or the code   (a captured delivery that a stolen box
                      key opens, or does not)
    red_rekeyed       act, agency, changed (bool)   (the theft was found out, and its victim has a new box key)
    red_watched       act, agency, sent_ms, given_ms   (when a sealed message passed on a watched line, which its length
                      tells outside TLS; in ms since STARTEX)
Stages of the router
    admitted          hid, kind, originator, ref, wraps (number), re_release (bool)
    decided           hid, place, originator, recipient, permit (bool), rule, label (object)
    refused           hid (or null), originator, code, stage_failed, refusals [{place, recipient, rule}]
    overridden        hid, originator, by, invoker, authority, readers   (position and danger of ``hid``, which is the
                      originator's, go to these readers by the override ``by``)
    delivered         hid, recipient  (the recipient's ack is on disk)
    cancelled         hid (or null), recipient  (queued, and taken back by a recall, a change of the community or an
                      expiry)
    let_go            hid, recipient, bits, proposal (its hid), mechanism, object_by_ms   (to a partner, since no member
                      had objected)
    bundle            details: the version that is in force from here on
Stages of a node
    link_up, link_down
    intended          act, order, reason, to, left_out {agency: rule}, cause {inject or hid}   (after pre-flight)
    onward_denied     act, order, reason, cause, agencies {agency: rule}, parents [[hid, place, originator]]   (whose
                      consent was missing for what a product quotes)
    released          hid, kind, ref, act, order, reason, audience {agency: bits},
                      portions [{place, title, label, passages, derived_from}], cause {inject or hid}
    accepted          hid
    refused           hid, code, refusals [{place, reader, rule}]
    delivered         hid, kind, originator, bits
    verified          hid, kind, originator, ref, bits, portions [{place, title, label, passages, derived_from}]
                      (and cosigned, unsigned where it names co-signers)
    misreleased       hid, originator, rule
    rejected          hid (or null), code, stage_failed
    opened            hid          (the desk has read it)
    acknowledged      hid
    acted             act, order, reason, cause   (an act that sends nothing: hold, note)
    handed            act, cause, outcome ("done", or why it was not), hids, readers, left_out   (what became of an
                      act that a person handed to the node of a deployed region)
    requested         hid, originator, subject, reader, answer_by_ms
    request_opened    hid, reader, subject
    decision          hid, reader, outcome, reason, conditions, subject, expires_ms, copy   (by this node; expires_ms
                      where a grant ends; copy where its reader is told of it beside the asker)
    decision_opened   hid, outcome, reason, conditions, expires_ms
    proposed          hid, mechanism, subject, object_by_ms, of (hid or null), reader, bits, members, act, order,
                      reason, cause   (put to all members; of, reader and bits: what goes to whom if nobody objects)
    proposal_opened   hid, subject, reason, object_by_ms, reader
    objected          hid, proposer, reason   (by this node)
    objection_received  hid, member, reason;  objection_opened  hid, reason
    silence_over      as proposed without its members and act, and: outcome (permitted, opposed or undelivered),
                      objectors, absent (to whom it did not come in time), waited_ms
    grant_over        hid, decision, originator, reader, bits   (a grant has ended; bits: what its reader erased)
    overrode          hid, of, originator, authority, office, danger, readers   (a life-safety override by this node, of
                      the originator's report ``of``; readers without the originator)
    overridden        hid, by, invoker, authority, office, danger, readers   (of a report of this node's own)
    lapsed            hid, asker, originator, reader, subject, answer_by_ms   (at both, where no decision was made)
    asked, asked_of   hid, exchange (rfi, deconflict, task, offer), partner, mine, subject, answer_by_ms, outcome
                      (by this node, of it; one for each partner)
    answered          as asked, and by: the hid of the answer   (at both; outcome: answered, declined, accepted, done,
                      and hit or no_hit at the asker alone)
    unanswered, answer_due   as asked   (its time is over: the partner has not answered, this node has not)
    joint_asked       hid, cosigners, needed, banner {label}, originators   (a product shown to who is to co-sign it)
    cosign            hid, lead, answer ("signed", "refused" or "withdrawn"), reason   (made by this node)
    cosign_received   hid, member, answer, reason
    joint_released    hid, banner {label}, cosigned, unsigned, readers   (enough have signed)
    joint_reissued    hid (null if nothing was left), of, without, cosigners   (made again without who left)
    receipt           hid, reader, status, bits, reported_ms, product (of used), decision (of purged, by a grant's end)
    overdue           hid, kind, readers, accepted (bool)   (no receipt of these readers by its deadline)
    settled_late      hid, kind, readers, accepted           (one of them, after all)
    expired           hid, kind, readers, accepted           (over, with no receipt of these, or no verdict)
    disk_full         since_ms     (written when there was room again)
    superseded        hid, by
    recalled          hid, by      (erased, or not taken up when it comes)
    tainted           hid, by, originator, products   (what this agency made from a recalled message and gave to others)
    duplicate         hid          (came before; without effect)
    missing           originator, messages   (numbers of an originator that were passed over)
    unarrived         originator, messages   (numbers that an originator says it has used, and of which nothing came)
    gap               deliveries   (acked by a copy of this node's disk that is gone)
    bundle            version
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import InputError

_COMMON = ("source", "number", "at_ms", "wall_ms", "stage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the record; ``fields`` holds what its stage adds."""

    source: str
    number: int
    at_ms: int
    wall_ms: int
    stage: str
    fields: dict[str, Any]

    def as_line(self) -> str:
        """Return the event as one line of JSON, keys sorted, so that equal events are equal bytes."""
        common = {name: getattr(self, name) for name in _COMMON}
        return json.dumps(common | self.fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def read_events(path: Path) -> Iterator[Event]:
    """Read one file of a record.

    Raises:
        InputError: If a line is not an event, or a number is missing; names file and line.
    """
    with path.open(encoding="utf-8") as lines:
        for row, line in enumerate(lines, start=1):
            try:
                fields = json.loads(line)
                common = {name: fields.pop(name) for name in _COMMON}
            except (ValueError, KeyError, AttributeError) as error:
                msg = f"{path}, line {row}: not an event of an exercise record"
                raise InputError(msg, remedy="the file was cut or edited; play the exercise again") from error
            if common["number"] != row:
                msg = f"{path}, line {row}: event {common['number']} stands where {row} is due"
                raise InputError(msg, remedy="lines were removed or reordered; play the exercise again")
            yield Event(**common, fields=fields)


def write_events(path: Path, events: Iterable[Event]) -> None:
    """Write one file of a record."""
    # Titles and who knew what stand in it: for whoever ran the exercise, and nobody else on the machine.
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("w", encoding="utf-8") as lines:
        lines.writelines(event.as_line() + "\n" for event in events)


def read_record(folder: Path) -> tuple[Event, ...]:
    """Read a whole record, ordered by exercise time, then source and number.

    Raises:
        InputError: If the folder holds no record.
    """
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        msg = f"{folder} holds no record of an exercise"
        raise InputError(msg, remedy="give the folder that 'sandiwara run' wrote")
    events = [event for path in files for event in read_events(path)]
    return tuple(sorted(events, key=lambda event: (event.at_ms, event.source, event.number)))
