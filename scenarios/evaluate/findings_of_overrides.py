"""Findings about life-safety overrides: what was right to tell, what was told without need, and who was not told."""

from collections.abc import Iterable, Iterator

from scenarios.evaluate.finding import Finding
from scenarios.evaluate.overrides import OverrideInvoked
from scenarios.evaluate.wording import Names, clock_text, length_text, list_text


def find_in_overrides(names: Names, overrides: Iterable[OverrideInvoked]) -> Iterator[Finding]:
    """Yield one finding for each override, and one for each originator that was not told of one."""
    for override in overrides:
        match override.judgement:
            case "needed" | "not measured":
                yield _right(names, override)
            case "without need":
                yield _without_need(names, override)
            case "abused":
                yield _abused(names, override)
        if override.told_ms is None:
            yield _untold(names, override)


def _how(names: Names, override: OverrideInvoked) -> str:
    """Say under which authority, by which office, of whose report, and how soon its originator knew."""
    told = (
        f"{names.agency(override.originator)} had not been told by ENDEX"
        if override.told_ms is None
        else f"{names.agency(override.originator)} was told {_after(override.told_ms - override.at_ms)}"
    )
    title = f" ({override.title})" if override.title else ""
    return (
        f"At {clock_text(override.at_ms)}, ordered by “{override.office}” under {override.authority}{title}; {told}. "
        f"Stated reason: “{override.reason}”."
    )


def _after(length_ms: int) -> str:
    return "in the same minute" if length_ms < 60_000 else f"{length_text(length_ms)} later"  # noqa: PLR2004 - a minute


def _right(names: Names, override: OverrideInvoked) -> Finding:
    readers = override.needed_by or tuple(reader for reader, _ in override.readers)
    needed = "who needed it" if override.needed_by else "and whether they needed it cannot be measured"
    return Finding(
        kind="right",
        headline=(
            f"{names.agency(override.invoker)} told {names.several(readers)} position and danger by a life-safety "
            f"override, {needed}."
        ),
        detail=_how(names, override),
        cause=None,
        evidence=(override.hid, override.of),
        facts=override.facts,
    )


def _without_need(names: Names, override: OverrideInvoked) -> Finding:
    readers = names.several(reader for reader, _ in override.readers)
    return Finding(
        kind="too wide",
        headline=(
            f"{names.agency(override.invoker)} invoked {override.authority} without need: "
            f"{readers} needed nothing of it."
        ),
        detail=_how(names, override),
        cause="person",
        evidence=(override.hid, override.of),
        facts=override.facts,
        responsible=names.agency(override.invoker),
        action="Invoke a life-safety authority for those alone who can save somebody by it; ask for consent otherwise",
        element="training",
    )


def _abused(names: Names, override: OverrideInvoked) -> Finding:
    given = list_text(f"{names.fact(fact)} to {names.agency(reader)}" for fact, reader in override.given_away)
    return Finding(
        kind="too wide",
        headline=f"{names.agency(override.invoker)} abused {override.authority}: it gave away {given}.",
        detail=_how(names, override),
        cause="person",
        evidence=(override.hid, override.of),
        facts=override.facts,
        responsible=names.agency(override.invoker),
        action=f"Have a second officer read the line before {override.authority} is invoked; review who may invoke it",
        element="organization",
    )


def _untold(names: Names, override: OverrideInvoked) -> Finding:
    return Finding(
        kind="too late",
        headline=(
            f"{names.agency(override.originator)} was not told by ENDEX that its report was overridden "
            f"at {clock_text(override.at_ms)}."
        ),
        detail="Its copy was queued in the same transaction as all others; its link or its node has not taken it.",
        cause="link",
        evidence=(override.hid, override.of),
        responsible=names.agency(override.originator),
        action="Find out why the node was out of reach for so long",
        element="equipment",
    )
