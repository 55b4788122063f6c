"""The conduct of a pack: branches, simulated desks with their standing orders, and the objectives that are measured."""

from collections.abc import Collection, Mapping
from typing import Final, get_args

from scenarios.conditions import KnownIds, read_condition, triggers_of
from scenarios.fields import Fields
from scenarios.model import ActWord, BotProfile, Branch, Measure, MeasureKind, Objective, Order, Span
from scenarios.pack_joint import JOINT_FIELDS, read_joint
from scenarios.pack_overrides import OVERRIDE_FIELDS, OverrideContext, read_override
from scenarios.pack_questions import read_asking, read_help
from scenarios.pack_silence import RELEASING, SILENCE_FIELDS, read_silence
from scenarios.problems import did_you_mean
from scenarios.text_yaml import ListNode, TextNode, shorten
from scenarios.values import read_duration_ms, read_share, read_span, read_threshold, read_yes_or_no
from schemas.label import Label

NEED_TO_KNOW: Final = "need-to-know"
NOTHING: Final = "nothing"
_ACTS: Final[tuple[ActWord, ...]] = get_args(ActWord)
_MEASURES: Final[tuple[MeasureKind, ...]] = get_args(MeasureKind)
_OUTCOMES: Final[tuple[str, ...]] = ("grant", "refuse")
_SENDING: Final = ("report", "forward", "request", "joint", "override")
_HIGHER_IS_BETTER: Final[frozenset[MeasureKind]] = frozenset(
    {
        "on_time_share",
        "corrections_complete",
        "decided_in_time",
        "attempts_noticed",
        "full_lineage",
        "lead_minutes",
        "recalls_complete",
    }
)
_NO_TIME: Final = Span(least_ms=0, most_ms=0)
# Fields that only some acts have; elsewhere they would be silently without effect.
_FIELDS_OF_ACT: Final[dict[str, tuple[ActWord, ...]]] = {
    "keep": ("report", "forward", "correct", "joint", "answer"),
    "corrects": ("correct",),
    "subject": ("propose", "request", "ask", "decline", "deconflict", "coordinate"),
    "answer_within": ("propose", "request", "ask", "deconflict", "coordinate"),
    "question": ("ask", "coordinate"),
    "about": ("deconflict",),
    "step": ("coordinate",),
    "affected": ("coordinate",),
    "outcome": ("decide",),
    "conditions": ("decide",),
    "grants": ("decide",),
    "expires_after": ("decide",),
    "conceals": ("decide",),
    "reader": ("request", "propose"),
    "wanted_for": ("request",),
    "recalls": ("recall",),
    **JOINT_FIELDS,
    **OVERRIDE_FIELDS,
    **SILENCE_FIELDS,
}


def read_branches(entries: list[tuple[str, Fields]], known: KnownIds) -> tuple[Branch, ...]:
    """Read the branches; ``within`` and ``else`` are compulsory, so that play can never hang."""
    found = []
    for branch, fields in entries:
        when = fields.node("when")
        if when is None:
            fields.problems.add(fields.mark, "missing", f"{fields.what} has no 'when'", "say what it waits for")
        condition = None if when is None else read_condition(when, known, fields.problems)
        within_ms, after = read_within(fields, known)
        then, otherwise = (_read_injects(name, fields, known) for name in ("then", "else"))
        fields.close()
        if condition is not None:
            found.append(
                Branch(branch=branch, when=condition, within_ms=within_ms, after=after, then=then, otherwise=otherwise)
            )
    return tuple(found)


def read_within(fields: Fields, known: KnownIds) -> tuple[int, str]:
    """Read ``within: 25m after E101``; returns the duration in ms and the inject."""
    text = fields.text("within")
    if not text:
        fields.problems.add(
            fields.mark,
            "no-within",
            f"{fields.what} has no 'within'",
            "write within: 25m after E01, so that play cannot hang",
        )
        return 0, ""
    duration, _, after = text.partition(" after ")
    try:
        within_ms = read_duration_ms(duration)
    except ValueError as error:
        fields.problems.add(fields.mark_of("within"), "value", f"within: {error}", "write within: 25m after E01")
        within_ms = 0
    anchor = after.strip()
    if anchor not in known.injects:
        fields.problems.add(
            fields.mark_of("within"), "unknown-id", f"'{shorten(anchor)}' is no inject of the MSEL",
            did_you_mean(anchor, known.injects) if anchor else "write within: 25m after E01",
        )  # fmt: skip
    return within_ms, anchor


def _read_injects(name: str, fields: Fields, known: KnownIds) -> tuple[str, ...]:
    node = fields.node(name)
    if node is None:
        fields.problems.add(
            fields.mark, f"no-{name}", f"{fields.what} has no '{name}'", f"write {name}: [E01] or {name}: {NOTHING}"
        )
        return ()
    if isinstance(node, TextNode) and node.value.strip() == NOTHING:
        return ()
    if isinstance(node, ListNode) and not node.items:
        return ()
    return fields.words(name, known.injects, noun="inject of the MSEL")


def read_bots(entries: list[tuple[str, Fields]]) -> tuple[BotProfile, ...]:
    """Read how the simulated desks work."""
    found = []
    for bot, fields in entries:
        found.append(
            BotProfile(
                bot=bot,
                read=fields.required("read", read_span, _NO_TIME),
                write=fields.required("write", read_span, _NO_TIME),
                decide=fields.read("decide", read_span, _NO_TIME),
                sanitising=fields.read("sanitising", read_share, 1.0),
            )
        )
        fields.close()
    return tuple(found)


def read_orders(
    entries: list[tuple[str, Fields]], known: KnownIds, labels: dict[str, Label], overriding: OverrideContext
) -> tuple[Order, ...]:
    """Read the standing orders of the simulated desks."""
    acts: dict[str, str] = {order: fields.text("do") for order, fields in entries}
    found = []
    for order, fields in entries:
        read = _read_order(order, fields, known, labels, acts, overriding)
        fields.close()
        if read is not None:
            found.append(read)
    return tuple(found)


def _read_order(  # noqa: PLR0917 - private, and handed on in the order of its only caller
    order: str,
    fields: Fields,
    known: KnownIds,
    labels: dict[str, Label],
    acts: dict[str, str],
    overriding: OverrideContext,
) -> Order | None:
    who = fields.required_one_of("who", known.agencies, noun="participant")
    if fields.node("do") is None:
        fields.problems.add(fields.mark, "missing", f"{fields.what} has no 'do'", f"one of {', '.join(_ACTS)}")
    do = fields.word("do", _ACTS, "hold")
    node = fields.node("on")
    if node is None:
        fields.problems.add(fields.mark, "missing", f"{fields.what} has no 'on'", "say what the desk acts on")
    condition = None if node is None else read_condition(node, known, fields.problems, desk=who or None)
    to, need_to_know = _read_audience(fields, do, known)
    label_name = fields.one_of("label", known.labels, noun="label of the pack")
    outcome = fields.one_of("outcome", _OUTCOMES, noun="outcome of a decision")
    _check_act(fields, do, outcome)
    corrects = _read_other_order(fields, "corrects", ("report", "forward", "correct"), known, acts)
    recalls = _read_other_order(fields, "recalls", ("report", "forward", "correct"), known, acts)
    grants = _read_other_order(fields, "grants", RELEASING, known, acts)
    keep = fields.words("keep", known.facts, noun="fact of the pack")
    subject, conditions, why = fields.text("subject"), fields.text("conditions"), fields.text("why")
    title, after = fields.text("title"), fields.read("after", read_span, None)
    once = fields.read("once", read_yes_or_no, True)
    conceals = fields.read("conceals", read_yes_or_no, False)
    if conceals and outcome == "grant":
        remedy = "write outcome: refuse, or take conceals away"
        fields.problems.add(fields.mark_of("conceals"), "idle-field", f"{fields.what} grants what it conceals", remedy)
    answer_within_ms = fields.read("answer_within", read_duration_ms, None)
    expires_after_ms = fields.read("expires_after", read_duration_ms, None)
    wanted_for_ms = fields.read("wanted_for", read_duration_ms, None)
    reader = fields.one_of("reader", known.agencies, noun="participant")
    joint = read_joint(who, do, fields, known, acts)
    question, step, about = read_asking(fields, do)
    override = read_override(order, do, fields, overriding)
    silence = read_silence(do, fields, known, acts)
    if condition is None:
        return None
    if do == "recall" and recalls is None and all(trigger.word != "tainted" for trigger in triggers_of(condition)):
        remedy = "write recalls: and the order whose report is taken back, or act on tainted"
        fields.problems.add(fields.mark, "missing", f"{fields.what} recalls nothing", remedy)
    return Order(
        order=order, who=who, on=condition, do=do, to=to, need_to_know=need_to_know, label_name=label_name,
        label=None if label_name is None else labels[label_name], title=title or None, keep=keep, corrects=corrects,
        subject=subject, outcome="grant" if outcome == "grant" else "refuse" if outcome == "refuse" else None,
        conditions=conditions, grants=grants, after=after, why=why, once=once, answer_within_ms=answer_within_ms,
        expires_after_ms=expires_after_ms, reader=reader, wanted_for_ms=wanted_for_ms, recalls=recalls,
        among=silence.among, releases=silence.releases, conceals=conceals,
        cosigners=joint.cosigners, needs=joint.needs, withdraws=joint.withdraws,
        question=question, about=about, step=step, affected=read_help(fields, step), override=override,
    )  # fmt: skip


def _read_audience(fields: Fields, do: ActWord, known: KnownIds) -> tuple[tuple[str, ...], bool]:
    """Read ``to``: a list of participants, or ``need-to-know`` for everybody whom the policy permits."""
    node = fields.node("to")
    if node is None:
        if do in _SENDING:
            fields.problems.add(
                fields.mark, "missing", f"{fields.what} has no 'to'", f"name participants, or write to: {NEED_TO_KNOW}"
            )
        return (), False
    if isinstance(node, TextNode) and node.value.strip() == NEED_TO_KNOW:
        return (), True
    return fields.words("to", known.agencies, noun="participant"), False


def _check_act(fields: Fields, do: ActWord, outcome: str | None) -> None:
    """Refuse a field that its act would ignore, and a decision that decides nothing."""
    for name, acts in _FIELDS_OF_ACT.items():
        if fields.node(name) is not None and do not in acts:
            fields.problems.add(
                fields.mark_of(name),
                "idle-field",
                f"'{name}' means nothing where the desk is to {do}",
                f"it belongs to: {', '.join(acts)}",
            )
    if do == "decide" and outcome is None:
        fields.problems.add(
            fields.mark,
            "missing",
            f"{fields.what} decides without 'outcome'",
            "write outcome: grant or outcome: refuse",
        )
    if do == "request" and not fields.text("subject"):
        fields.problems.add(fields.mark, "missing", f"{fields.what} asks without 'subject'", "say what is asked for")
    if do == "correct" and fields.node("corrects") is None:
        fields.problems.add(
            fields.mark,
            "missing",
            f"{fields.what} corrects nothing",
            "write corrects: and the order whose report is wrong",
        )


def _read_other_order(
    fields: Fields, name: str, kinds: tuple[ActWord, ...], known: KnownIds, acts: dict[str, str]
) -> str | None:
    other = fields.one_of(name, known.orders, noun="standing order of the pack")
    if other is not None and acts.get(other) not in kinds:
        fields.problems.add(
            fields.mark_of(name),
            "wrong-order",
            f"the order {other} releases no report",
            f"'{name}' names an order that is to {', '.join(kinds)}",
        )
    return other


def read_objectives(
    entries: list[tuple[str, Fields]], of_kind: Mapping[MeasureKind, tuple[str, Collection[str]]]
) -> tuple[Objective, ...]:
    """Read the objectives; ``of_kind`` says which ids each kind of measure is about, and what they are called."""
    found = []
    for objective, fields in entries:
        found.append(
            Objective(
                objective=objective,
                title=fields.text("title") or objective,
                capability=fields.required_text("capability"),
                target=fields.required_text("target"),
                critical_tasks=tuple(item.value for item in fields.texts("critical_tasks")),
                measures=tuple(_read_measure(item, of_kind) for item in fields.each("measures")),
            )
        )
        fields.close()
    return tuple(found)


def _read_measure(fields: Fields, of_kind: Mapping[MeasureKind, tuple[str, Collection[str]]]) -> Measure:
    kind = fields.word("kind", _MEASURES, "on_time_share")
    if fields.node("kind") is None:
        fields.problems.add(fields.mark, "missing", "a measure has no 'kind'", f"one of {', '.join(_MEASURES)}")
    noun, known = of_kind[kind]
    performed, some, major = (fields.required(name, read_threshold, 0.0) for name in ("P", "S", "M"))
    ordered = performed >= some >= major if kind in _HIGHER_IS_BETTER else performed <= some <= major
    if not ordered:
        better = "fall" if kind in _HIGHER_IS_BETTER else "rise"
        fields.problems.add(
            fields.mark_of("P"),
            "thresholds",
            f"the thresholds of a {kind} must {better} from P over S to M",
            "swap them",
        )
    measure = Measure(
        measure=fields.required_text("id"),
        kind=kind,
        of=fields.words("of", known, noun=noun),
        performed=performed,
        some=some,
        major=major,
        text=fields.text("text"),
        within_ms=fields.read("within", read_duration_ms, None),
    )
    fields.close()
    return measure
