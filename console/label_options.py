"""The options that say a label in words, and the label they make."""

import argparse
import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final

from console.parser import near_words
from schemas.errors import UsageError

if TYPE_CHECKING:  # the grammar of the command line is built without these, which are heavy
    from policy.community import Community
    from schemas.label import Label

# Spelled here too, since the words of the command line must not cost the import of the shapes; a test compares them.
TLP_WORDS: Final = ("CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED")
PRECEDENCE_WORDS: Final = ("ROUTINE", "PRIORITY", "IMMEDIATE", "FLASH")
_STATE: Final = re.compile(r"[A-Z]{3}", re.ASCII)


def _tlp(text: str) -> str:
    return text.upper().removeprefix("TLP:")


def add_label_options(parser: argparse.ArgumentParser, *, of_a_file: bool = False) -> None:
    """Add the options that say a label, or what of it a file leaves open."""
    silent = " where the file is silent" if of_a_file else ""
    group = parser.add_argument_group("label" + silent)
    group.add_argument("--tlp", type=_tlp, choices=TLP_WORDS, help="Traffic Light Protocol 2.0")
    group.add_argument("--level", metavar="LEVEL", help="level of the exercise lattice, such as EX-RESTRICTED")
    group.add_argument("--topic", metavar="CODE", help="code of the taxonomy, such as cyber.ransomware")
    _add_list(group, "--affected", help_text="states concerned, such as MYS,SGP")
    if of_a_file:
        return
    _add_list(group, "--rel", help_text="REL TO: states, agencies, @groups")
    _add_list(group, "--not", name="exclude", help_text="who may not have it")
    _add_list(group, "--caveat", help_text="ORCON, NATONLY, PROPIN, PAP:AMBER …")
    _add_list(group, "--compartment", help_text="every one must be held")
    _add_list(group, "--mechanism", help_text="full members of any of these alone")
    group.add_argument("--precedence", choices=PRECEDENCE_WORDS, help="how urgent it is")


def _add_list(group: "argparse._ArgumentGroup", option: str, *, help_text: str, name: str | None = None) -> None:
    group.add_argument(
        option, dest=name or option.removeprefix("--"), action="append", default=[], metavar="WORD,…", help=help_text
    )


def words(values: Iterable[str]) -> tuple[str, ...]:
    """Return the words of a repeatable option whose values may hold several, sorted, each once."""
    return tuple(sorted({word.strip() for value in values for word in value.split(",") if word.strip()}))


def check_known(name: str, given: Iterable[str], known: Collection[str], *, noun: str) -> None:
    """Refuse words that the community does not know.

    Raises:
        UsageError: With what was probably meant.
    """
    for word in given:
        if word not in known:
            near = near_words(word, sorted(known))
            few = len(known) <= 14  # noqa: PLR2004 - what fits on one line of a terminal
            remedy = (
                f"did you mean {' or '.join(near)}?" if near else f"one of: {', '.join(sorted(known))}" if few else ""
            )
            msg = f"{name}: '{word}' is no {noun}"
            raise UsageError(msg, remedy=remedy)


def label_of(arguments: argparse.Namespace, base: "Label | None", community: "Community") -> "Label":
    """Return the label that the options say, beginning with a named one if there is one.

    Raises:
        UsageError: If a word is none that the community knows, or what a label needs is missing.
    """
    from schemas.label import Label

    if base is None and (arguments.tlp is None or arguments.topic is None):
        msg = "which label? neither --label nor both of --tlp and --topic are given"
        raise UsageError(
            msg, remedy="name a label of the pack by --label, or say it: --tlp AMBER --topic cyber.incident"
        )
    start = base or Label(arguments.tlp, community.bundle.levels[0], arguments.topic)
    label = Label(
        tlp=arguments.tlp or start.tlp,
        level=arguments.level or start.level,
        topic=arguments.topic or start.topic,
        compartments=words(arguments.compartment) or start.compartments,
        mechanisms=words(arguments.mechanism) or start.mechanisms,
        rel=words(arguments.rel) or start.rel,
        exclude=words(arguments.exclude) or start.exclude,
        caveats=words(arguments.caveat) or start.caveats,
        affected=words(arguments.affected) or start.affected,
        precedence=arguments.precedence or start.precedence,
        not_before=start.not_before,
    )
    check_label_words(label, community)
    return label


def check_label_words(label: "Label", community: "Community") -> None:
    """Refuse a label whose words the community does not know: policy would, but could not say what was meant.

    Raises:
        UsageError: With what was probably meant.
    """
    from schemas.codec import pack
    from schemas.errors import RemoteError
    from schemas.label import read_label

    bundle = community.bundle
    who = subjects_of(community)
    mechanisms = [item.mechanism for item in bundle.mechanisms]
    check_known("--level", [label.level], bundle.levels, noun="level")
    check_known("--compartment", label.compartments, bundle.compartments, noun="compartment")
    check_known("--mechanism", label.mechanisms, mechanisms, noun="mechanism")
    check_known("--rel", label.rel, who, noun="agency, state or @group here")
    check_known("--not", label.exclude, who, noun="agency, state or @group here")
    check_affected(label.affected)
    try:
        read_label(pack(label))
    except RemoteError as error:
        msg = f"that is no label: {error}"
        raise UsageError(msg, remedy="a topic is like cyber.ransomware, a caveat like ORCON or PAP:AMBER") from error


def check_affected(states: Iterable[str]) -> None:
    """Refuse what cannot be a state; one without a seat may be affected all the same.

    Raises:
        UsageError: If one is not spelled as a state.
    """
    for state in states:
        if _STATE.fullmatch(state) is None:
            msg = f"--affected: '{state}' is no state"
            raise UsageError(msg, remedy="write three capital letters, such as MYS")


def subjects_of(community: "Community") -> set[str]:
    """Return whoever may be named: agencies, states with a seat, and groups."""
    return {
        *(agency.agency for agency in community.agencies),
        *community.with_state,
        *(group.group for group in community.bundle.groups),
    }


def agencies_meant(given: Iterable[str], community: "Community", *, name: str = "--to") -> tuple[str, ...]:
    """Return the agencies that agencies, states and @groups stand for.

    Raises:
        UsageError: If one is not known.
    """
    asked = words(given)
    check_known(name, asked, subjects_of(community), noun="agency, state or @group here")
    return community.ids(community.expand(asked) or 0) if asked else ()
