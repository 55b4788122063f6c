"""What a plan may hold of the workflow of sharing: consent, products, joint texts, questions, who does what when.

Each story is complete in itself (who begins it, what the others do about it and how long they take), so that one can
be left out, kept and replayed. Plans that were kept before there were any have none.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from scenarios.soak.reference import LABELS
from schemas.names import AgencyId
from transport.faults import Millis

Number = Annotated[int, Field(ge=0, le=1_000)]
LabelPlace = Annotated[int, Field(ge=0, lt=len(LABELS))]
# Whoever is asked thinks for so long; who never answers is ``silent``.
Word = Literal["silent", "sign", "refuse", "answer", "decline", "accept"]


class _Story(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    number: Number  # of its own, among messages and stories
    at_ms: Millis


class Reply(BaseModel):
    """What one of those who are asked does: after how long, and perhaps something more later on.

    ``later_ms``: after a signature, until it is taken back; after an ``accept``, until the thing is done.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    agency: AgencyId
    word: Word
    after_ms: Millis
    later_ms: Millis | None = None


class Consent(_Story):
    """An agency asks the originator of a message to let a reader have it; the originator decides, or is silent.

    ``lasts_ms`` is how long a grant runs. ``hands_on_ms``: so long after the grant has come, and once before it, the
    asker hands on to the reader what it made from the message; it may be too late by then.
    """

    kind: Literal["consent"] = "consent"
    message: Number
    asker: AgencyId
    reader: AgencyId
    answer_within_ms: Millis
    decides: Literal["grant", "refuse", "silent"]
    after_ms: Millis
    lasts_ms: Millis | None = None
    hands_on_ms: Millis | None = None


class Product(_Story):
    """An agency makes a product from what has come to it, and releases it; what a recall taints is recalled in turn.

    ``parents`` are messages or other products; ``recalls_after_ms`` is how long its desk takes to recall it then.
    """

    kind: Literal["product"] = "product"
    author: AgencyId
    parents: Annotated[tuple[Number, ...], Field(min_length=1, max_length=8)]
    to: Annotated[tuple[AgencyId, ...], Field(max_length=64)] = ()
    recalls_after_ms: Millis


class Joint(_Story):
    """A lead shows a product to those that it names, who sign, refuse, are silent, or take their signature back.

    It has a part of the lead's own under ``label`` and one for each of ``parts``, reports of others. What is not
    released ``patience_ms`` after it was begun, its lead gives up and recalls.
    """

    kind: Literal["joint"] = "joint"
    lead: AgencyId
    label: LabelPlace
    parts: Annotated[tuple[Number, ...], Field(max_length=8)]
    needed: Annotated[int, Field(ge=1, le=8)]
    to: Annotated[tuple[AgencyId, ...], Field(max_length=64)]
    replies: Annotated[tuple[Reply, ...], Field(min_length=1, max_length=8)]
    patience_ms: Millis


class Question(_Story):
    """An agency asks others: for information (``rfi``), whether they hold the same (``deconflict``), or to do a thing.

    Of ``deconflict``, ``asks`` and ``holds`` number the identifiers that the asker names and each of the others knows.
    """

    kind: Literal["question"] = "question"
    what: Literal["rfi", "deconflict", "task", "offer"]
    asker: AgencyId
    label: LabelPlace
    answer_within_ms: Millis
    replies: Annotated[tuple[Reply, ...], Field(min_length=1, max_length=8)]
    asks: Annotated[tuple[Number, ...], Field(max_length=8)] = ()
    holds: Annotated[tuple[Number, ...], Field(max_length=8)] = ()


Story = Annotated[Consent | Product | Joint | Question, Field(discriminator="kind")]
STORY_KINDS: Final = ("consent", "product", "joint", "question")
