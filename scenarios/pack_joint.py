"""What a standing order says of joint products: who is to co-sign, how many have to, what is taken back."""

from typing import Final, NamedTuple

from scenarios.conditions import KnownIds
from scenarios.fields import Fields
from scenarios.model import ActWord
from schemas.limits import SIGNERS_MAX

# Fields that only these acts have; elsewhere they would be silently without effect.
JOINT_FIELDS: Final[dict[str, tuple[ActWord, ...]]] = {
    "with": ("joint",),
    "needs": ("joint",),
    "withdraws": ("withdraw",),
}


class JointFields(NamedTuple):
    """The fields of an order that speak of joint products."""

    cosigners: tuple[str, ...]
    needs: int | None
    withdraws: str | None


def read_joint(who: str, do: ActWord, fields: Fields, known: KnownIds, acts: dict[str, str]) -> JointFields:
    """Read them, and refuse an order that could never be carried out."""
    cosigners = fields.words("with", known.agencies, noun="participant")
    needs = fields.read("needs", _read_needs, None)
    if do == "joint":
        _check_cosigners(who, cosigners, needs, fields)
    withdraws = fields.one_of("withdraws", known.orders, noun="standing order of the pack")
    if withdraws is not None and acts.get(withdraws) != "cosign":
        fields.problems.add(
            fields.mark_of("withdraws"), "wrong-order", f"the order {withdraws} signs nothing",
            "'withdraws' names an order that is to cosign",
        )  # fmt: skip
    if do == "withdraw" and fields.node("withdraws") is None:
        fields.problems.add(
            fields.mark,
            "missing",
            f"{fields.what} takes nothing back",
            "write withdraws: and the order that has signed",
        )
    return JointFields(cosigners, needs, withdraws)


def _check_cosigners(who: str, cosigners: tuple[str, ...], needs: int | None, fields: Fields) -> None:
    if not cosigners:
        fields.problems.add(
            fields.mark, "missing", f"{fields.what} asks nobody to co-sign", "write with: and the participants"
        )
        return
    if who in cosigners or len(cosigners) >= SIGNERS_MAX:
        fields.problems.add(
            fields.mark_of("with"), "cosigners", "a lead does not co-sign, and 15 others at most do",
            "leave the order's own desk out, and name fewer",
        )  # fmt: skip
    if needs is not None and needs > len(cosigners):
        fields.problems.add(
            fields.mark_of("needs"), "cosigners", f"{needs} co-signatures of {len(cosigners)} can never come",
            "ask for as many as are named at most",
        )  # fmt: skip


def _read_needs(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        msg = "a number of co-signatures is expected, from 1"
        raise ValueError(msg)
    return int(text)
