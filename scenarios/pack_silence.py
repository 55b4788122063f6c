"""What a standing order says of silence procedures: whose silence is asked for, and what goes to whom by it."""

from typing import Final, NamedTuple

from scenarios.conditions import KnownIds
from scenarios.fields import Fields
from scenarios.model import ActWord

# Fields that only these acts have; elsewhere they would be silently without effect.
SILENCE_FIELDS: Final[dict[str, tuple[ActWord, ...]]] = {
    "among": ("propose",),
    "releases": ("propose",),
}
RELEASING: Final[tuple[ActWord, ...]] = ("report", "forward", "correct", "joint")


class SilenceFields(NamedTuple):
    """The fields of an order that speak of silence procedures."""

    among: str
    releases: str | None


def read_silence(do: ActWord, fields: Fields, known: KnownIds, acts: dict[str, str]) -> SilenceFields:
    """Read them, and refuse an order that could never be carried out."""
    among = fields.one_of("among", known.mechanisms, noun="mechanism of the pack")
    releases = fields.one_of("releases", known.orders, noun="standing order of the pack")
    if releases is not None and acts.get(releases) not in RELEASING:
        fields.problems.add(
            fields.mark_of("releases"), "wrong-order", f"the order {releases} releases no report",
            f"'releases' names an order that is to {', '.join(RELEASING)}",
        )  # fmt: skip
    if do == "propose":
        _check_proposal(fields, among, releases)
    return SilenceFields(among or "", releases)


def _check_proposal(fields: Fields, among: str | None, releases: str | None) -> None:
    if fields.node("among") is None:
        fields.problems.add(
            fields.mark,
            "missing",
            f"{fields.what} asks nobody",
            "write among: and the mechanism whose members have a say",
        )
    if not fields.text("subject"):
        fields.problems.add(fields.mark, "missing", f"{fields.what} proposes without 'subject'", "say what is proposed")
    if among is not None and (releases is None) != (fields.node("reader") is None):
        fields.problems.add(
            fields.mark, "missing", f"{fields.what} names only one of 'releases' and 'reader'",
            "name the order whose report is to go, and the partner that is to have it, or neither",
        )  # fmt: skip
