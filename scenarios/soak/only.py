"""Plans in which only some kinds of fault fall, to have enough runs of those that are drawn seldom."""

from collections.abc import Collection
from typing import Final, get_args

from scenarios.soak.draw import draw_plan
from scenarios.soak.hostility import Hostility
from scenarios.soak.parts import parts_of, with_parts
from scenarios.soak.plan import Plan
from scenarios.soak.workflow import STORY_KINDS
from schemas.errors import UsageError
from transport.faults import Fault

_ALWAYS: Final = frozenset({"message", "again", *STORY_KINDS})
_DRAWS_MOST: Final = 1_000  # the rarest kind stands in one plan of some hundred


def kinds() -> tuple[str, ...]:
    """Return the kinds of fault that there are."""
    shapes = [*get_args(get_args(Fault)[0]), *get_args(get_args(Hostility)[0])]
    return tuple(
        sorted({shape.model_fields["kind"].default for shape in shapes} | {"revocation", "recall", "rotation"})
    )


def check_kinds(wanted: Collection[str]) -> None:
    """Refuse kinds that there are not.

    Raises:
        UsageError: If one of them is none.
    """
    unknown = sorted(set(wanted) - set(kinds()))
    if unknown:
        msg = f"{', '.join(unknown)}: no kind of fault"
        raise UsageError(msg, remedy=f"choose of {', '.join(kinds())}")


def draw_only(seed: int, wanted: Collection[str]) -> Plan:
    """Draw a plan of a seed that has faults of these kinds, and no others; of all kinds if none is wanted.

    The seed of the plan is another one, so that it is the plan that tells what to run.
    """
    if not wanted:
        return draw_plan(seed)
    for turn in range(_DRAWS_MOST):
        plan = draw_plan(seed * _DRAWS_MOST + turn)
        kept = [part for part in parts_of(plan) if part.kind in _ALWAYS or part.kind in wanted]
        if any(part.kind in wanted for part in kept):
            return with_parts(plan, kept)
    msg = f"none of {_DRAWS_MOST} plans of seed {seed} has any of {', '.join(sorted(wanted))}"
    raise UsageError(msg, remedy="choose kinds that are drawn more often, or another first seed")
