"""A small exercise made by hand, with a record made by hand, whose every outcome can be worked out on paper.

Five agencies, five facts, two hours. What happens, in minutes of exercise time:

    0    E1 gives alpha F1 (what happened) and F2 (who the source is).
    5    alpha tells bravo and charlie F1 (M1); delta is left out: the label's REL TO does not name it.
    6/7  M1 is verified at bravo (a bot: its need is met) and charlie (a person: not yet).
    10   alpha tells echo F1 and, by mistake, F2 (M3); echo's link is down from 9 to 49.
    30   E2 gives bravo F3.                    35   charlie opens M1: late by the desk.
    40   alpha tells delta F1 anew (M2), verified at 41: late by the rule.
    45   bravo quotes M1 to delta (M10).       50   echo can read M3: late by the link, and a disclosure of F2.
    60   bravo tells alpha F3 (M4), opened at 62: late by holding; charlie is left out by the rules.
    70   B1 takes its other way, since echo did not have F1 by 25: E4 gives charlie F5.
    71   charlie's M5 to alpha is refused.     72   charlie's M6 to delta is forwarded, and delta never has it.
    79   charlie's link goes down for good.    80   alpha corrects M1 (M9); bravo has it at 81, charlie never.
    82   E3 gives alpha F4.                    83   alpha tells echo F4 (M8), which is surplus.
    85   delta asks alpha for release, 93 alpha grants, 94 alpha releases M8 again, 95 delta has it: surplus.
    120  ENDEX.
"""

from pathlib import Path
from typing import Any

from policy.community import Community
from scenarios.model import (
    Branch,
    Condition,
    ContentPortion,
    Fact,
    Inject,
    LinkProfile,
    Measure,
    MustNot,
    Need,
    Objective,
    Pack,
    PackHeader,
    Participant,
    Span,
    Trigger,
)
from scenarios.record import Event
from schemas.bundle import Agency, AgencyKind, Bundle, Predicate, RouterKey, Rule, SignKey
from schemas.label import EXERCISE_LEVELS, Label
from schemas.report import Passage, PortionContent

MINUTE_MS = 60_000
START_MS = 1_800_000_000_000
END_MINUTE = 120

OPEN = Label(tlp="AMBER", level="EX-RESTRICTED", topic="toc.piracy")
TO_TWO_STATES = OPEN._replace(rel=("BBB", "CCC"))
HOME_ONLY = OPEN._replace(caveats=("NATONLY",))
CYBER = Label(tlp="GREEN", level="EX-UNCLAS", topic="cyber.access")

PASSAGES = {"p1": "F1", "p2": "F2", "p3": "F3", "p4": "F4", "p5": "F5"}
SEATS: dict[str, tuple[str, str | None, str, AgencyKind, Any]] = {
    "alpha": ("Alpha Coast Guard", "AAA", "mar", "member", "human"),
    "bravo": ("Bravo Coast Guard", "BBB", "mar", "member", "bot"),
    "charlie": ("Charlie Coast Guard", "CCC", "mar", "member", "human"),
    "delta": ("Delta Fusion Centre", None, "fus", "body", "bot"),
    "echo": ("Echo Shipping", "AAA", "shp", "industry", "bot"),
}
RULES = (
    Rule(
        rule="R1",
        effect="permit",
        predicates=(
            Predicate(name="topic", values=("toc.piracy",)),
            Predicate(name="role", values=("fus", "mar", "shp")),
        ),
    ),
    Rule(
        rule="R2",
        effect="permit",
        predicates=(Predicate(name="topic", values=("cyber.*",)), Predicate(name="state", values=("AAA",))),
    ),
)


def hid(name: str) -> str:
    """A message id that can be told apart at a glance: 64 hex digits that begin with the message's number."""
    return f"{int(name.removeprefix('M')):02d}" + "ab" * 31


def _participant(agency: str) -> Participant:
    name, state, role, kind, seat = SEATS[agency]
    return Participant(
        agency=agency,
        name=name,
        state=state,
        role=role,
        kind=kind,
        clearance="EX-RESTRICTED",
        compartments=(),
        purposes=(),
        client_of=(),
        seat=seat,
        link="fibre",
        bot="careful",
        brief="",
    )


def _content(title: str, *passages: str) -> PortionContent:
    return PortionContent(
        marking="EXERCISE", title=title, body=tuple(Passage(passage=p, text=f"text of {p}. ") for p in passages)
    )


def _inject(
    name: str, minute: int | None, to: str, title: str, *, label: Label, passages: tuple[str, ...], **more: Any
) -> Inject:
    fields: dict[str, Any] = {
        "type": "inject",
        "mode": "report",
        "sender": "sim/harbour",
        "controller": "excon-1",
        "objective": "O1",
        "expected": "Tell those who need it within 20 minutes",
        "notes": "",
    }
    return Inject(
        inject=name,
        time_ms=None if minute is None else minute * MINUTE_MS,
        to=(to,),
        title=title,
        carries=tuple(PASSAGES[passage] for passage in passages),
        material=(ContentPortion(label_name="main", label=label, content=_content(title, *passages)),),
        **(fields | more),
    )


def small_pack(**changes: Any) -> Pack:
    """Make the pack; ``changes`` replace its fields."""
    fields: dict[str, Any] = {
        "path": Path("small-lantern"),
        "digest": "5e" * 32,
        "header": PackHeader(
            pack="small-lantern",
            title="Exercise SMALL LANTERN",
            summary="A boarding in the strait, a stolen login, and a source to protect.",
            marking="EXERCISE TLP-AMBER",
            seed=7,
            sponsor="Regional secretariat",
            scope="Five agencies, two hours",
            threat="Armed robbery at sea",
        ),
        "start_ms": START_MS,
        "start_text": "2027-01-15 15:00 +07",
        "zone_minutes": 420,
        "duration_ms": END_MINUTE * MINUTE_MS,
        "levels": EXERCISE_LEVELS,
        "compartments": (),
        "groups": (),
        "mechanisms": (),
        "rules": RULES,
        "marks": (),
        "participants": tuple(_participant(agency) for agency in SEATS),
        "links": (
            LinkProfile(
                link="fibre",
                delay=Span(least_ms=0, most_ms=0),
                rate_bits_per_s=None,
                outages=(),
                read_every_ms=None,
            ),
        ),
        "labels": {"open": OPEN},
        "facts": (
            Fact(fact="F1", text="A tug was boarded off Cape One", eei="EEI-1", signs=("boarded",)),
            Fact(fact="F2", text="The warning came from a source aboard", eei="EEI-2", signs=("informant",)),
            Fact(fact="F3", text="The port's traffic system was entered", eei="EEI-3", signs=("login",)),
            Fact(fact="F4", text="A second tug is being followed", eei="EEI-4", signs=("followed",)),
            Fact(fact="F5", text="The crew was put ashore", eei="EEI-5", signs=("ashore",)),
        ),
        "needs": (
            Need(
                need="N1", fact="F1", who=("bravo", "charlie", "delta", "echo"), by_ms=20 * MINUTE_MS, why="ships sail"
            ),
            Need(need="N2", fact="F3", who=("alpha", "charlie"), by_ms=15 * MINUTE_MS, why="ports share the system"),
            Need(need="N3", fact="F4", who=("charlie",), by_ms=60 * MINUTE_MS, why="it sails on"),
            Need(need="N4", fact="F5", who=("alpha", "delta"), by_ms=30 * MINUTE_MS, why="families ask"),
        ),
        "must_nots": (
            MustNot(must_not="X1", fact="F2", who=("delta", "echo"), why="the life of the source"),
            MustNot(must_not="X2", fact="F3", who=("echo",), why="the investigation"),
        ),
        "injects": (
            _inject("E1", 0, "alpha", "Tug boarded", label=OPEN, passages=("p1", "p2")),
            _inject("E2", 28, "bravo", "Login stolen", label=CYBER, passages=("p3",)),
            _inject("E3", 82, "alpha", "Second tug", label=OPEN, passages=("p4",)),
            _inject("E4", None, "charlie", "Crew ashore", label=OPEN, passages=("p5",), type="contingency inject"),
            _inject("E9", None, "echo", "Never played", label=OPEN, passages=(), type="contingency inject"),
        ),
        "branches": (
            Branch(
                branch="B1",
                when=Condition(trigger=Trigger(word="report_received", who="echo", fact="F1")),
                within_ms=25 * MINUTE_MS,
                after="E1",
                then=("E9",),
                otherwise=("E4",),
            ),
        ),
        "bots": (),
        "orders": (),
        "objectives": (
            Objective(
                objective="O1",
                title="Share in time, protect the source",
                capability="Intelligence and Information Sharing",
                target="Agencies that need a report hold it in time",
                critical_tasks=("Recognise who needs the report", "Sanitise it"),
                measures=(
                    _measure("M1", "on_time_share", ("N1", "N2", "N4"), (0.95, 0.8, 0.5)),
                    _measure("M2", "disclosures", ("X1", "X2"), (0, 0, 1)),
                    _measure("M3", "surplus_share", (), (0.1, 0.3, 0.5)),
                ),
            ),
            Objective(
                objective="O2",
                title="Put mistakes right",
                capability="Operational Coordination",
                target="Corrections reach every past recipient",
                critical_tasks=(),
                measures=(
                    _measure("M4", "corrections_complete", (), (1, 0.8, 0.5)),
                    _measure("M5", "decided_in_time", (), (1, 0.8, 0.5)),
                ),
            ),
        ),
        "hot_wash_ms": None,
        "passage_facts": dict(PASSAGES),
    }
    return Pack(**(fields | changes))


def _measure(name: str, kind: Any, of: tuple[str, ...], thresholds: tuple[float, float, float]) -> Measure:
    performed, some, major = thresholds
    return Measure(
        measure=name, kind=kind, of=of, performed=performed, some=some, major=major, text=f"{kind} as planned"
    )


def small_community() -> Community:
    """Compile the bundle of the small exercise."""
    key = SignKey(key=bytes(32), not_before=0, expires=2 * START_MS)
    return Community.compile(
        Bundle(
            v=1,
            version=1,
            issued=START_MS,
            expires=2 * START_MS,
            levels=EXERCISE_LEVELS,
            compartments=(),
            groups=(),
            mechanisms=(),
            agencies=tuple(
                Agency(
                    agency=agency,
                    name=name,
                    state=state,
                    role=role,
                    kind=kind,
                    clearance="EX-RESTRICTED",
                    compartments=(),
                    purposes=(),
                    client_of=(),
                    status="active",
                    keys=(key._replace(key=bytes([number]) * 32),),
                )
                for number, (agency, (name, state, role, kind, _seat)) in enumerate(SEATS.items(), start=1)
            ),
            routers=(RouterKey(router="router", key=key),),
            rules=RULES,
            marks=(),
        )
    )


class Recorder:
    """Writes a record line by line, in minutes of exercise time, as the engine would."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._numbers: dict[str, int] = {}
        self._released: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {}

    def note(self, minute: float, source: str, stage: str, **fields: Any) -> None:
        """Add one event."""
        self._numbers[source] = self._numbers.get(source, 0) + 1
        self.events.append(
            Event(
                source=source,
                number=self._numbers[source],
                at_ms=START_MS + round(minute * MINUTE_MS),
                wall_ms=round(minute * 10),
                stage=stage,
                fields=fields,
            )
        )

    def inject(self, minute: float, inject: str, agency: str, *passages: str) -> None:
        """EXCON releases an inject and it is delivered at once."""
        self.note(minute, "excon", "inject_released", inject=inject, to=[agency])
        self.note(minute, "excon", "inject_delivered", inject=inject, agency=agency, passages=list(passages))

    def release(self, minute: float, author: str, message: str, readers: list[str], **more: Any) -> None:
        """A desk releases a message of one portion, and the router takes it at the same minute."""
        fields = {
            "kind": "report",
            "ref": None,
            "act": "report",
            "order": None,
            "reason": "because it is needed",
            "cause": None,
            "passages": [],
            "label": OPEN,
            "derived_from": [],
            "rule": "R1",
            "refused": None,
        } | more
        portion = {
            "place": 0,
            "title": f"Report {message}",
            "label": fields["label"]._asdict(),
            "passages": fields["passages"],
            "derived_from": fields["derived_from"],
        }
        head = {name: fields[name] for name in ("kind", "ref", "act", "order", "reason", "cause")}
        audience = dict.fromkeys(readers, 1)
        self.note(minute, author, "released", hid=hid(message), audience=audience, portions=[portion], **head)
        again = message in self._released
        self._released[message] = (portion, author, fields)
        if fields["refused"]:
            refusals = [{"place": 0, "recipient": readers[0], "rule": fields["refused"]}]
            refused = {"hid": hid(message), "code": "AUDIENCE", "stage_failed": "policy"}
            self.note(minute, "router", "refused", originator=author, refusals=refusals, **refused)
            own = [{"place": 0, "reader": readers[0], "rule": fields["refused"]}]
            self.note(minute, author, "refused", hid=hid(message), code="AUDIENCE", refusals=own)
            return
        admitted = {"hid": hid(message), "kind": fields["kind"], "originator": author, "ref": fields["ref"]}
        self.note(minute, "router", "admitted", wraps=len(readers), re_release=again, **admitted)
        for reader in readers:
            decided = {"hid": hid(message), "place": 0, "originator": author, "recipient": reader}
            label = fields["label"]._asdict()
            self.note(minute, "router", "decided", permit=True, rule=fields["rule"], label=label, **decided)
        self.note(minute, author, "accepted", hid=hid(message))

    def arrive(self, minute: float, message: str, reader: str, *, opened: float | None = None) -> None:
        """A message is delivered and verified at a reader, and perhaps opened later."""
        portion, author, fields = self._released[message]
        head = {"hid": hid(message), "kind": fields["kind"], "originator": author}
        self.note(minute, reader, "delivered", bits=1, **head)
        self.note(minute, reader, "verified", ref=fields["ref"], bits=1, portions=[portion], **head)
        self.note(minute, "router", "delivered", hid=hid(message), recipient=reader)
        if opened is not None:
            self.note(opened, reader, "opened", hid=hid(message))


def small_record() -> tuple[Event, ...]:
    """Write the record of the play that the module's docstring tells."""
    record = Recorder()
    record.note(0, "excon", "startex")
    record.inject(0, "E1", "alpha", "p1", "p2")
    intended = {"act": "report", "order": None, "reason": "warn the neighbours", "cause": "E1"}
    record.note(5, "alpha", "intended", to=["bravo", "charlie", "delta"], left_out={"delta": "NTK-REL"}, **intended)
    record.release(
        5, "alpha", "M1", ["bravo", "charlie"], passages=["p1"], label=TO_TWO_STATES, cause="E1",
        reason="warn the neighbours",
    )  # fmt: skip
    record.arrive(6, "M1", "bravo", opened=8)
    record.arrive(7, "M1", "charlie", opened=35)
    record.note(8.5, "bravo", "acknowledged", hid=hid("M1"))
    record.note(9, "alpha", "receipt", hid=hid("M1"), reader="bravo", status="acknowledged", bits=1, reported_ms=0)
    record.note(9, "echo", "link_down")
    record.release(10, "alpha", "M3", ["echo"], passages=["p1", "p2"], cause="E1", reason="crews must know")
    record.inject(30, "E2", "bravo", "p3")
    record.release(40, "alpha", "M2", ["delta"], passages=["p1"], cause="E1", reason="marked anew for the centre")
    record.arrive(41, "M2", "delta", opened=42)
    record.release(
        45, "bravo", "M10", ["delta"], passages=["p1"], cause=hid("M1"), derived_from=[hid("M1")], act="forward"
    )
    record.arrive(46, "M10", "delta", opened=47)
    record.note(49, "echo", "link_up")
    record.arrive(50, "M3", "echo", opened=51)
    intended = {"act": "report", "order": None, "reason": "ports must look", "cause": "E2"}
    record.note(60, "bravo", "intended", to=["alpha", "charlie"], left_out={"charlie": "NTK-PERMIT"}, **intended)
    record.release(
        60, "bravo", "M4", ["alpha"], passages=["p3"], label=CYBER, cause="E2", rule="R2", reason="ports must look"
    )
    record.arrive(61, "M4", "alpha", opened=62)
    because = "not within T+0:25: report_received by echo"
    record.note(70, "excon", "branch_taken", branch="B1", outcome="otherwise", because=because, injects=["E4"])
    record.inject(70, "E4", "charlie", "p5")
    record.release(71, "charlie", "M5", ["alpha"], passages=["p5"], label=HOME_ONLY, cause="E4", refused="NTK-NATONLY")
    record.release(72, "charlie", "M6", ["delta"], passages=["p5"], cause="E4")
    record.note(73, "router", "delivered", hid=hid("M6"), recipient="delta")
    _second_hour(record)
    record.note(END_MINUTE, "excon", "endex")
    return tuple(record.events)


def _second_hour(record: Recorder) -> None:
    """The correction that does not reach everybody, and the request that is granted."""
    record.note(79, "charlie", "link_down")
    record.release(
        80, "alpha", "M9", ["bravo", "charlie"], ref=hid("M1"), act="correct", reason="the position was wrong"
    )
    record.arrive(81, "M9", "bravo", opened=84)
    record.note(81, "bravo", "superseded", hid=hid("M1"), by=hid("M9"))
    record.inject(82, "E3", "alpha", "p4")
    record.release(83, "alpha", "M8", ["echo"], passages=["p4"], cause="E3")
    record.arrive(84, "M8", "echo", opened=85)
    answer_by_ms = START_MS + 95 * MINUTE_MS
    record.release(85, "delta", "M11", ["alpha"], kind="request", ref=hid("M10"), act="request")
    asked = {"hid": hid("M11"), "subject": "the second tug", "reader": "delta"}
    record.note(85, "delta", "requested", originator="alpha", answer_by_ms=answer_by_ms, **asked)
    record.arrive(86, "M11", "alpha", opened=88)
    record.note(88, "alpha", "request_opened", **asked)
    record.release(93, "alpha", "M12", ["delta"], kind="decision", ref=hid("M11"), act="decide", cause=hid("M11"))
    decision = {"outcome": "grant", "reason": "it warns ships", "conditions": "not to industry"}
    record.note(93, "alpha", "decision", hid=hid("M12"), reader="delta", subject="the second tug", **decision)
    record.arrive(94, "M12", "delta")
    record.note(94, "delta", "decision_opened", hid=hid("M12"), **decision)
    record.release(94, "alpha", "M8", ["delta"], passages=["p4"], cause=hid("M11"), reason="as granted")
    record.arrive(95, "M8", "delta", opened=96)
