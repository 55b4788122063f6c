"""The rules and named labels of a pack: what need to know is decided on.

Nothing may be left loose: a rule with a misspelt level would silently match nothing, and in a forbidding rule that is
a leak. The tests here are those of ``policy.consistency``, made early enough to name file and line.
"""

import re
from typing import Final, cast, get_args

from pydantic import TypeAdapter, ValidationError

from policy.caveats import CAVEATS_WITH_OPERAND, MEMBERS_FIRST, NAMED, PLAIN_CAVEATS, RESIDENCY, read_caveat
from policy.consistency import AFFECTED, AND_ABOVE, BUILT_IN_PREFIX, ORIGINATOR, UNAFFECTED
from scenarios.fields import Fields
from scenarios.pack_community import CommunityNames
from scenarios.problems import did_you_mean
from scenarios.text_yaml import TextNode, shorten
from scenarios.values import datetime_ms, read_datetime, read_exercise_time_ms
from schemas.bundle import AgencyKind, Effect, Predicate, PredicateName, Rule
from schemas.label import PRECEDENCE_ORDER, TLP_ORDER, Label, Tlp
from schemas.names import STATE_PATTERN

_KINDS: Final[tuple[AgencyKind, ...]] = get_args(AgencyKind)
_PREDICATES: Final[tuple[PredicateName, ...]] = get_args(PredicateName)
_STATE: Final = re.compile(STATE_PATTERN.removeprefix("^").removesuffix("$"), re.ASCII)
_TOPIC: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*", re.ASCII)
_LABEL: Final[TypeAdapter[Label]] = TypeAdapter(Label)
_RANKED: Final = {"tlp": TLP_ORDER, "precedence": PRECEDENCE_ORDER}
_ORDERED: Final = ("tlp", "level", "precedence")  # the predicates that know "or above"


def read_rules(entries: list[tuple[str, Fields]], names: CommunityNames) -> tuple[Rule, ...]:
    """Read the community rules: default deny, forbid beats permit."""
    found = []
    for rule, fields in entries:
        if rule.startswith(BUILT_IN_PREFIX):
            fields.problems.add(
                fields.mark,
                "bad-id",
                f"the rule {rule} has the name of a built-in test",
                f"do not begin it with {BUILT_IN_PREFIX}",
            )
        permit, forbid = fields.fields("permit"), fields.fields("forbid")
        fields.text("why")  # a remark for the planner's colleagues; the bundle has no place for it
        fields.close()
        if (permit is None) == (forbid is None):
            fields.problems.add(
                fields.mark, "form", f"the rule {rule} must either permit or forbid", "write permit: {…} or forbid: {…}"
            )
            continue
        effect: Effect = "permit" if permit is not None else "forbid"
        tests = permit or forbid
        assert tests is not None  # exactly one of the two is there
        predicates = tuple(
            Predicate(name, values) for name in _PREDICATES if (values := _read_predicate(name, tests, effect, names))
        )
        tests.close()
        if predicates:
            found.append(Rule(rule, effect, predicates))
        else:
            fields.problems.add(
                tests.mark, "form", f"the rule {rule} tests nothing", "say what it is about, for example topic: [toc.*]"
            )
    return tuple(found)


def _read_predicate(name: PredicateName, tests: Fields, effect: Effect, names: CommunityNames) -> tuple[str, ...]:
    values: list[str] = []
    for item in tests.texts(name):
        spelled = _spell_value(name, item.value, names)
        for value in spelled:
            if not _is_rule_word(name, value, effect, names):
                tests.problems.add(
                    item.mark, "unknown-word", f"'{shorten(item.value)}' is no {name} that a rule can test",
                    did_you_mean(value.removeprefix(AND_ABOVE), _known_values(name, names)),
                )  # fmt: skip
        values.extend(spelled)
    return tuple(dict.fromkeys(values))


def _spell_value(name: PredicateName, text: str, names: CommunityNames) -> tuple[str, ...]:
    """Turn ``AMBER or above`` into what the bundle writes, and ``AMBER or below`` into the words it stands for."""
    order = _RANKED.get(name, names.levels if name == "level" else ())
    word = text.removeprefix("TLP:") if name == "tlp" else text
    if name in _ORDERED and word.endswith(" or above"):
        return (AND_ABOVE + word.removesuffix(" or above").strip(),)
    if word.endswith(" or below") and word.removesuffix(" or below").strip() in order:
        return tuple(order[: order.index(word.removesuffix(" or below").strip()) + 1])
    return (word,)


def _known_values(  # noqa: PLR0911 - one for each predicate that has a list
    name: PredicateName, names: CommunityNames
) -> tuple[str, ...]:
    match name:
        case "kind":
            return _KINDS
        case "state":
            return (AFFECTED, ORIGINATOR, *sorted(names.states))
        case "originator":
            return (AFFECTED, UNAFFECTED, *sorted(names.states))
        case "mechanism":
            return tuple(names.mechanisms)
        case "level":
            return names.levels
        case "caveat":
            return (*sorted(PLAIN_CAVEATS), *(f"{word}:…" for word in sorted(CAVEATS_WITH_OPERAND)))
        case _:
            return tuple(_RANKED.get(name, ()))


def _is_rule_word(name: PredicateName, value: str, effect: Effect, names: CommunityNames) -> bool:
    """Tell whether the bundle will hold this value for known; policy.consistency makes the same test."""
    if name == "topic":
        return _TOPIC.fullmatch(value.removesuffix(".*")) is not None
    if name == "role":
        return bool(value)
    if name == "caveat":
        return _is_known_caveat(value, names)
    # A permitting rule may be about states that have no seat here; a forbidding one about them could let them pass.
    is_state = _STATE.fullmatch(value) is not None
    if name == "affected" or (name in {"state", "originator"} and effect == "permit" and is_state):
        return is_state
    return value.removeprefix(AND_ABOVE if name in _ORDERED else "") in _known_values(name, names)


def _is_known_caveat(word: str, names: CommunityNames) -> bool:
    caveat = read_caveat(word)
    if caveat is None:
        return False
    known = {
        NAMED: caveat.operand in names.agencies,
        RESIDENCY: caveat.operand in names.states,
        MEMBERS_FIRST: caveat.operand in names.mechanisms,
    }
    return known.get(caveat.name, True)


def read_labels(entries: list[tuple[str, Fields]], names: CommunityNames, start_ms: int) -> dict[str, Label]:
    """Read the named labels, which contents and orders refer to."""
    labels = {}
    for name, fields in entries:
        labels[name] = read_label_fields(fields, names, start_ms)
        fields.close()
    return labels


def read_label_fields(fields: Fields, names: CommunityNames, start_ms: int) -> Label:
    """Read one label; lists come out sorted, as a signed label has them."""
    label = Label(
        tlp=cast("Tlp", fields.read("tlp", _read_tlp, "RED")),
        level=_read_level(fields, names),
        topic=fields.required_text("topic"),
        compartments=tuple(sorted(fields.words("compartments", names.compartments, noun="compartment of the pack"))),
        mechanisms=tuple(sorted(fields.words("mechanisms", names.mechanisms, noun="mechanism of the pack"))),
        rel=_read_subjects(fields, "rel", names),
        exclude=_read_subjects(fields, "not", names),
        caveats=tuple(sorted({item.value for item in fields.texts("caveats") if _is_caveat(item, fields, names)})),
        affected=tuple(sorted({item.value for item in fields.texts("affected")})),
        precedence=fields.word("precedence", PRECEDENCE_ORDER, "ROUTINE"),
        not_before=_read_embargo(fields, start_ms),
    )
    if fields.node("tlp") is None:
        fields.problems.add(fields.mark, "missing", f"{fields.what} has no 'tlp'", f"one of {', '.join(TLP_ORDER)}")
    try:
        _LABEL.validate_python(label)
    except ValidationError as error:
        first = error.errors()[0]
        part = str(first["loc"][0]) if first["loc"] else "label"
        fields.problems.add(fields.mark_of(part), "value", f"the {part} of {fields.what} is misspelt: {first['msg']}")
    return label


def _read_level(fields: Fields, names: CommunityNames) -> str:
    """Read the level, or what national marks come to: the highest counts, and none lowers what is written beside."""
    level = fields.one_of("level", names.levels, noun="level")
    marks = fields.words("marks", names.marks, noun="national mark with its state in front, such as 'MYS SULIT'")
    highest = max((names.marks[mark] for mark in marks), key=names.levels.index, default=names.levels[0])
    if level is not None and marks and names.levels.index(level) < names.levels.index(highest):
        fields.problems.add(
            fields.mark_of("level"), "value", f"the level {level} is below what the marks come to",
            f"write {highest}, or leave the level out",
        )  # fmt: skip
        return highest
    return level or highest


def _read_tlp(text: str) -> str:
    word = text.strip().removeprefix("TLP:")
    if word not in TLP_ORDER:
        msg = f"'{shorten(text)}' is no TLP label; " + did_you_mean(word, TLP_ORDER)
        raise ValueError(msg)
    return word


def _read_subjects(fields: Fields, name: str, names: CommunityNames) -> tuple[str, ...]:
    return tuple(sorted(fields.words(name, names.subjects, noun="participant, state with a seat, or @group")))


def _is_caveat(item: TextNode, fields: Fields, names: CommunityNames) -> bool:
    if _is_known_caveat(item.value, names):
        return True
    known = _known_values("caveat", names)
    fields.problems.add(
        item.mark, "unknown-word", f"'{shorten(item.value)}' is no caveat", did_you_mean(item.value, known)
    )
    return False


def _read_embargo(fields: Fields, start_ms: int) -> int | None:
    def read(text: str) -> int:
        return (
            max(0, start_ms + read_exercise_time_ms(text)) if text.startswith("T") else datetime_ms(read_datetime(text))
        )

    return fields.read("not_before", read, None)
