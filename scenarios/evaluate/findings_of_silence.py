"""Findings about silence procedures: what nobody objected to and how long that took, and who could not be asked."""

from collections.abc import Iterable, Iterator

from scenarios.evaluate.finding import Finding
from scenarios.evaluate.silence import SilenceProcedure
from scenarios.evaluate.wording import Names, clock_text, length_text


def find_in_procedures(names: Names, procedures: Iterable[SilenceProcedure]) -> Iterator[Finding]:
    """Yield one finding for each procedure that has ended without an objection."""
    for each in procedures:
        if each.waited_ms is None:
            continue
        if each.outcome == "no objection":
            silent = [heard.member for heard in each.members if heard.answer == "silent"]
            agreed = len(each.members) - len(silent)
            whom = f" It kept {names.agency(each.reader)} waiting, and nobody was to blame." if each.reader else ""
            yield Finding(
                kind="right",
                headline=f"No member objected to “{each.subject}”; that took {length_text(each.waited_ms)}.",
                detail=(
                    f"Put by {each.proposer} at {clock_text(each.opened_ms)}: {agreed} agreed, "
                    f"{len(silent)} silent.{whom}"
                ),
                cause=None,
                evidence=(each.hid,),
            )
        elif each.outcome == "not shown to all in time":
            absent = [heard.member for heard in each.members if heard.answer == "absent"]
            yield Finding(
                kind="too narrow",
                headline=f"Nothing came of “{each.subject}”: not every member could be asked in time.",
                detail=f"Who was not asked was not silent: {names.several(absent or each.members_asked)}.",
                cause="link",
                evidence=(each.hid,),
                responsible=names.agency(each.proposer),
                action="Leave members the time that the slowest link takes, or ask again.",
                element="planning",
            )
