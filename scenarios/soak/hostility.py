"""What a plan may hold of malice: a router that lies, agencies that flood, bytes that poison, readers that are slow.

Strict JSON shapes as the faults of the network are, each to be kept, replayed and left out on its own. Who carries them
out stands beside: the lying router in evil_router.py, the rest in strangers.py; who must notice, in ghost_evil.py.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from scenarios.evil_cuts import Form
from schemas.names import AgencyId
from transport.faults import Millis

FORMS: Final[tuple[Form, ...]] = (
    "body", "label", "header", "signature", "recipient", "bits", "epoch", "number", "truncated", "deep", "huge", "nan",
    "schema",
)  # fmt: skip
PoisonForm = Literal[
    "empty", "flipped", "truncated", "trailing", "deep", "huge", "nan", "map", "schema", "statement", "checkpoint",
    "bundle", "announcement", "chunk", "cosign", "numbers",
]  # fmt: skip
POISON_FORMS: Final[tuple[PoisonForm, ...]] = (
    "empty", "flipped", "truncated", "trailing", "deep", "huge", "nan", "map", "schema", "statement", "checkpoint",
    "bundle", "announcement", "chunk", "cosign", "numbers",
)  # fmt: skip


class _Hostility(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    at_ms: Millis


class Drop(_Hostility):
    """The router accepts and does not forward: to one reader, or to nobody at all.

    ``emptied``: the reader gets an empty delivery, so that the log can say it was acked. ``hidden``: neither a row nor
    a leaf is written for the reader.
    """

    kind: Literal["drop"] = "drop"
    lasts_ms: Millis
    reader: AgencyId | None
    how: Literal["emptied", "hidden"]


class Replay(_Hostility):
    """The router delivers again what it delivered before: a moment ago, or forty days after it was over."""

    kind: Literal["replay"] = "replay"
    reader: AgencyId | None
    months: bool = False


class Substitute(_Hostility):
    """The router changes the cuts of one reader."""

    kind: Literal["substitute"] = "substitute"
    lasts_ms: Millis
    reader: AgencyId
    form: Literal[Form]


class Misroute(_Hostility):
    """The router gives a stranger the cuts that it made for others."""

    kind: Literal["misroute"] = "misroute"
    lasts_ms: Millis
    stranger: AgencyId


class Lie(_Hostility):
    """The router signs a verdict that is not true, and writes no leaf of it.

    ``accepted``: and nothing is forwarded. ``refused``: though nothing is wrong. ``another``: it is that of another
    release.
    """

    kind: Literal["lie"] = "lie"
    lasts_ms: Millis
    author: AgencyId
    verdict: Literal["accepted", "refused", "another"]


class SplitView(_Hostility):
    """The router shows some agencies another log, signed like the true one.

    ``past``: with a leaf that they have seen left out. ``future``: with the next leaf left out, so that what they were
    shown before fits; the true log, which they are shown when it is over, does not.
    """

    kind: Literal["split_view"] = "split_view"
    lasts_ms: Millis
    agencies: Annotated[tuple[AgencyId, ...], Field(min_length=1, max_length=64)]
    how: Literal["past", "future"]


class Flood(_Hostility):
    """An agency sends as much as it can: by its own node, or by a client that knows no limits of its own."""

    kind: Literal["flood"] = "flood"
    agency: AgencyId
    how: Literal["desk", "raw"]
    messages: Annotated[int, Field(ge=1, le=20_000)]


class Poison(_Hostility):
    """A frame that cannot be read, or says what makes no sense, as if the other end of an agency's line had sent it."""

    kind: Literal["poison"] = "poison"
    agency: AgencyId
    direction: Literal["up", "down"]
    form: Literal[PoisonForm]
    times: Annotated[int, Field(ge=1, le=5_000)] = 1


class Slow(_Hostility):
    """An agency reads what it is sent at this rate; ``greedy``: and meanwhile asks for more than it reads."""

    kind: Literal["slow"] = "slow"
    lasts_ms: Millis
    agency: AgencyId
    bytes_per_s: Annotated[int, Field(ge=1, le=10_000_000)]
    greedy: bool = False


class Quota(BaseModel):
    """Smaller bounds than those in earnest, so that they are reached with fewer messages than a test has time for."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    messages_per_s: Annotated[int, Field(ge=1)]
    messages_burst: Annotated[int, Field(ge=1)]
    queue_rows_max: Annotated[int, Field(ge=1)]


RouterHostility = Drop | Replay | Substitute | Misroute | Lie | SplitView
Hostility = Annotated[
    Drop | Replay | Substitute | Misroute | Lie | SplitView | Flood | Poison | Slow, Field(discriminator="kind")
]
