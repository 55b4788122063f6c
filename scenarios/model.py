"""A scenario pack once it is loaded: everything the engine, the bots and the evaluation work from.

The loader (scenarios/pack.py) makes these from the planner's files and has checked every id and word in them.
Times are milliseconds: ``…_ms`` relative to STARTEX where a planner writes ``T+…``, durations otherwise. What players
may never see (facts, needs, must-nots, which passage tells which fact) is reached by evaluation alone: seats and bots
get opaque passage ids.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agencies.drafts import OverrideTerms
from policy.amendment import Amendment
from schemas.bundle import AgencyKind, Group, Mechanism, NationalMark, Rule
from schemas.label import Label
from schemas.report import PortionContent
from schemas.workflow import CoordAct

Seat = Literal["bot", "human"]
InjectType = Literal["inject", "contingency inject", "expected action"]
InjectMode = Literal["report", "phone", "email", "media", "manual"]
ActWord = Literal[
    "report", "forward", "request", "decide", "correct", "acknowledge",
    "hold", "joint", "cosign", "refuse_cosign", "withdraw", "ask", "answer", "decline", "deconflict", "coordinate",
    "recall", "override", "propose", "object",
]  # fmt: skip
TriggerWord = Literal[
    "time", "manual", "inject_delivered", "report_sent", "report_received", "opened", "acknowledged", "fact_known",
    "request_received", "decision_received", "correction_received", "rule_denied", "link_down", "request_lapsed",
    "recall_received", "tainted",
    "rfi_received", "answer_received", "deconflict_received", "hit", "no_hit", "coord_received", "unanswered",
    "cosign_asked", "override_received", "overridden",
    "proposal_received", "objection_received", "no_objection", "opposed",
]  # fmt: skip
MeasureKind = Literal[
    "on_time_share", "disclosures", "corrections_complete", "decided_in_time", "surplus_share",
    "forged_accepted", "attempts_noticed", "full_lineage", "lead_minutes", "recalls_complete",
]  # fmt: skip
# What an adversary may try; each is carried out over lines that it holds, and never past anybody's checks.
RedKind = Literal[
    "copied-header", "replay", "flood", "stolen-box-key", "stolen-sign-key", "traffic-watch", "drop", "substitute",
    "misroute",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A duration between two bounds, in milliseconds; equal bounds mean exactly that long."""

    least_ms: int
    most_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """An agency in the exercise, as the bundle will name it and as the engine will seat it."""

    agency: str
    name: str
    state: str | None
    role: str
    kind: AgencyKind
    clearance: str
    compartments: tuple[str, ...]
    purposes: tuple[str, ...]
    client_of: tuple[str, ...]
    seat: Seat
    link: str
    bot: str
    brief: str  # what its players are told before STARTEX


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time in which a link carries nothing: once, or again ``every_ms`` after its begin."""

    begin_ms: int
    lasts_ms: int
    every_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkProfile:
    """What a planner can observe of a link; named by digital maturity, never by country."""

    link: str
    delay: Span
    rate_bits_per_s: int | None
    outages: tuple[Outage, ...]
    read_every_ms: int | None  # the node polls this often; None: it is pushed to


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Ground truth: an essential element of information, with the words that give it away in free text."""

    fact: str
    text: str
    eei: str
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """An information exchange requirement: each of ``who`` must have ``fact`` within ``by_ms``.

    The clock starts when the fact first reaches any participant, or at ``from_ms`` if the planner set one.
    """

    need: str
    fact: str
    who: tuple[str, ...]
    by_ms: int
    why: str
    from_ms: int | None = None  # relative to STARTEX; 0 where the planner wrote a time of the exercise as the limit


@dataclass(frozen=True, slots=True, kw_only=True)
class MustNot:
    """Agencies that must never be able to read a fact."""

    must_not: str
    fact: str
    who: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentPortion:
    """One portion of an inject's material: its named label, and the text with opaque passage ids."""

    label_name: str
    label: Label
    content: PortionContent


@dataclass(frozen=True, slots=True, kw_only=True)
class Inject:
    """One row of the MSEL. ``time_ms`` is None for an inject that only a branch releases."""

    inject: str
    time_ms: int | None
    type: InjectType
    mode: InjectMode
    sender: str
    to: tuple[str, ...]
    title: str
    controller: str
    objective: str | None
    expected: str
    carries: tuple[str, ...]  # fact ids
    material: tuple[ContentPortion, ...]
    notes: str  # for EXCON; columns of a spreadsheet that the loader does not know are kept here


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One trigger word with its fields, for example ``report_received`` with by, sender, topic, fact."""

    word: TriggerWord
    who: str | None = None  # the agency at which it happens
    sender: str | None = None
    inject: str | None = None
    topic: str | None = None  # with a trailing ".*" as in rules
    fact: str | None = None  # the loader has checked it; matched by passages
    order: str | None = None  # what another standing order released
    outcome: Literal["grant", "refuse"] | None = None
    step: CoordAct | None = None  # of a coordination
    time_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Triggers joined by all, any or not, at most two deep; exactly one of the fields is set."""

    trigger: Trigger | None = None
    all: tuple["Condition", ...] = ()
    any: tuple["Condition", ...] = ()
    negated: "Condition | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Play that depends on play. Every branch ends: by its condition, or ``within_ms`` after ``after``."""

    branch: str
    when: Condition
    within_ms: int
    after: str  # inject id
    then: tuple[str, ...]
    otherwise: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BotProfile:
    """How a simulated desk works: how long it takes, and how well it keeps passages apart."""

    bot: str
    read: Span  # from delivery to opened
    write: Span  # from opened to released
    decide: Span  # from a request to its decision
    sanitising: float  # 0..1: the share of passages to be dropped that it does drop


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A standing order: what one desk does when something happens, and why.

    Attributes:
        do: The act. ``report`` writes the inject's material; ``forward`` quotes what was received; ``request`` asks
            an originator for release; ``decide`` answers a request; ``correct`` supersedes an earlier report;
            ``ask`` asks for information, ``answer`` and ``decline`` answer it; ``deconflict`` asks whether another
            holds the same; ``coordinate`` gives, takes on or finishes a task;
            ``acknowledge`` and ``hold`` send nothing but a receipt or a reason. ``joint`` shows a product of all that
            was contributed to those who are to co-sign it; ``cosign``, ``refuse_cosign`` and ``withdraw`` answer one.
        to: Agencies the desk means to tell; empty with ``need_to_know`` means everybody the policy permits.
        label_name: The named label of what is written; None keeps the material's own, or the roll-up of the parents.
        keep: Facts whose passages are kept; empty keeps all. What is not kept must be dropped (skill decides).
        corrects: For ``correct``: the order whose report is superseded.
        subject: For ``request``: what is asked for, in words.
        outcome: For ``decide``.
        conditions: For a grant.
        grants: For a grant: the order whose report is released again to the asker.
        expires_after_ms: For a grant: how long it lasts; None is for good, or as long as the asker wanted it.
        reader: For ``request``: for whom the asker asks; None is the asker itself.
        wanted_for_ms: For ``request``: how long the reader wants it; None is for good.
        recalls: For ``recall``: the order whose report is taken back; None is whatever a recall has tainted.
        cosigners: For ``joint``: who is to co-sign; ``needs`` is how many of them have to, None is all.
        withdraws: For ``withdraw``: the order whose co-signature is taken back.
    """

    order: str
    who: str
    on: Condition
    do: ActWord
    to: tuple[str, ...]
    need_to_know: bool
    label_name: str | None
    label: Label | None
    title: str | None
    keep: tuple[str, ...]
    corrects: str | None
    subject: str
    outcome: Literal["grant", "refuse"] | None
    conditions: str
    grants: str | None
    after: Span | None  # overrides the bot's own delay
    why: str
    once: bool
    answer_within_ms: int | None = None  # for ``request``: how long the asker can wait
    expires_after_ms: int | None = None
    reader: str | None = None
    wanted_for_ms: int | None = None
    recalls: str | None = None
    cosigners: tuple[str, ...] = ()
    needs: int | None = None
    withdraws: str | None = None
    conceals: bool = False  # for ``decide``: a refusal says no more than that there is no such report (H15)
    question: str = ""  # for ``ask``, and what ``coordinate`` says beside the subject
    about: tuple[tuple[str, str], ...] = ()  # for ``deconflict``: kind and value of what the other may hold too
    step: CoordAct | None = None  # for ``coordinate``
    affected: tuple[str, ...] = ()  # for ``coordinate``: the states that help is asked for or offered to
    override: OverrideTerms | None = None  # for ``override``: what is told, and under which authority
    among: str = ""  # for ``propose``: the mechanism whose members may object
    releases: str | None = None  # for ``propose``: the order whose report goes to ``reader`` if nobody does


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measured part of an objective. P, S and M are thresholds; anything worse is U."""

    measure: str
    kind: MeasureKind
    of: tuple[str, ...]  # need, must-not, inject or order ids, by kind
    performed: float
    some: float
    major: float
    text: str
    within_ms: int | None = None  # for corrections_complete and decided_in_time: counted from the correction or request


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """An objective with its capability, target, critical tasks and measures (HSEEP's EEG in data)."""

    objective: str
    title: str
    capability: str
    target: str
    critical_tasks: tuple[str, ...]
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackHeader:
    """What the pack says of itself. ``notes`` are for EXCON, such as which faults were put in on purpose."""

    pack: str
    title: str
    summary: str
    marking: str
    seed: int
    sponsor: str
    scope: str
    threat: str
    notes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of the community in mid-play: the authorities sign the next version of the bundle at that time."""

    change: str
    time_ms: int
    amendments: tuple[Amendment, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RedAct:
    """One thing that the adversary tries, at a time or on a condition.

    Attributes:
        act: Its id.
        kind: What it is.
        who: The adversary's own agency, which has credentials, keys and rights of its own.
        time_ms: When; None where it waits for ``when``.
        when: What it waits for, from ``after`` on for ``within_ms``; then it is not done.
        victim: Whose header, message or key it uses, or whose deliveries it lies about.
        line: Whose line it sends over; its own, or one that it has got hold of.
        to: At whose doors it puts a message itself, as a router does that lies; or to whom it seals one.
        material: What the false report says.
        messages: How many a flood has.
        lasts_ms: How long the lines of ``to`` are watched, or lied on; None until ENDEX.
        rekeyed_ms: When the theft of a box key has been found out and its owner makes a new one; None if never.
        noticed_by: Who should notice: agencies, the ``router``, or the ``records`` when they are compared.
        why: What red wants by it.
    """

    act: str
    kind: RedKind
    who: str
    time_ms: int | None
    when: Condition | None
    within_ms: int
    after: str  # inject id
    victim: str | None
    line: str
    to: tuple[str, ...]
    material: tuple[ContentPortion, ...]
    messages: int
    lasts_ms: int | None
    rekeyed_ms: int | None
    noticed_by: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A whole pack. ``digest`` is the hex hash of all its files, so that an AAR can say what was played."""

    path: Path
    digest: str
    header: PackHeader
    start_ms: int  # scenario time at STARTEX, Unix ms
    start_text: str  # as the planner wrote it, with the zone players think in
    zone_minutes: int  # that zone's offset from UTC
    duration_ms: int
    levels: tuple[str, ...]
    compartments: tuple[str, ...]
    groups: tuple[Group, ...]
    mechanisms: tuple[Mechanism, ...]
    rules: tuple[Rule, ...]
    marks: tuple[NationalMark, ...]
    participants: tuple[Participant, ...]
    links: tuple[LinkProfile, ...]
    labels: dict[str, Label]
    facts: tuple[Fact, ...]
    needs: tuple[Need, ...]
    must_nots: tuple[MustNot, ...]
    injects: tuple[Inject, ...]
    branches: tuple[Branch, ...]
    bots: tuple[BotProfile, ...]
    orders: tuple[Order, ...]
    objectives: tuple[Objective, ...]
    changes: tuple[Change, ...] = ()  # in the order of their times
    red: tuple[RedAct, ...] = ()  # what an adversary tries
    hot_wash_ms: int | None  # kept free after ENDEX for the first talk; None: the planner gave no time for it
    passage_facts: dict[str, str]  # opaque passage id -> fact id; for evaluation and the order matcher only
