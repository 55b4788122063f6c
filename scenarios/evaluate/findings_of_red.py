"""Findings about the adversary: what was taken for true, what nobody noticed who should have, and what held."""

from collections.abc import Iterator
from typing import Final

from scenarios.evaluate.finding import Finding
from scenarios.evaluate.red import RedTry
from scenarios.evaluate.wording import Names, count_text, list_text

_FORGING: Final = frozenset({"copied-header", "replay", "stolen-sign-key"})


def find_of_red(names: Names, tries: tuple[RedTry, ...]) -> Iterator[Finding]:
    """Yield a finding for each act that succeeded or was overlooked, and one for all forgeries that did not."""
    done = [each for each in tries if each.at_ms is not None]
    for each in done:
        if each.taken_in_by:
            signs = [f"{sign.by} {sign.how}" for sign in each.noticed]
            yield Finding(
                kind="too wide",
                headline=f"{names.several(each.taken_in_by)} took for true what red sent ({each.act}, {each.kind}).",
                detail=f"Red {each.tried}. " + (f"What told of it: {list_text(signs)}." if signs else "Nothing told."),
                cause=None,
                evidence=each.hids,
                responsible=names.agency(each.victim) if each.victim else "EXCON",
                action="Agree on who looks at such signs, and who asks for a revocation, within which time",
                element="planning",
            )
        if each.overlooked:
            yield Finding(
                kind="too late",
                headline=f"{names.several(each.overlooked)} did not notice what red tried ({each.act}, {each.kind}).",
                detail=f"Red {each.tried}. {each.unnoticed[:1].upper()}{each.unnoticed[1:]}." if each.unnoticed else "",
                cause=None,
                evidence=each.hids,
                responsible=names.several(each.overlooked),
                action="Settle what would have told of it, or write down that nothing can",
                element="planning",
            )
    forged = [each for each in done if each.kind in _FORGING]
    if forged and not any(each.taken_in_by for each in forged):
        at_doors = {sign.by for each in forged for sign in each.noticed}
        tried = count_text(len(forged), "try", "tries")
        yield Finding(
            kind="right",
            headline=f"Nothing that red forged or repeated was taken for true: {tried}.",
            detail=f"Noticed by {list_text(sorted(at_doors))}." if at_doors else "It came to nothing unnoticed.",
            cause=None,
            evidence=tuple(hid for each in forged for hid in each.hids),
        )
