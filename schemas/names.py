"""Names and their grammar: agencies, states, groups, topics of the taxonomy, and the fields built on them.

An agency id is also an MQTT client id and a topic level, so its grammar admits nothing that either could read in two
ways. Every list in a signed shape is sorted and free of repeats: one set, one spelling.
"""

import itertools
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

from schemas.limits import (
    AGENCY_ID_CHARS_MAX,
    BOX_KEY_BYTES,
    HASH_BYTES,
    LABEL_ITEMS_MAX,
    PROTOCOL_VERSION,
    SIGN_KEY_BYTES,
    SIGNATURE_BYTES,
    UINT_MS_MAX,
)

AGENCY_ID_PATTERN = rf"^[a-z0-9][a-z0-9-]{{1,{AGENCY_ID_CHARS_MAX - 1}}}$"
STATE_PATTERN = r"^[A-Z]{3}$"
GROUP_PATTERN = r"^@[a-z0-9][a-z0-9-]{0,30}$"

T = TypeVar("T", bound=tuple[str, ...])


def _sorted_and_unique(items: T) -> T:
    """Admit one spelling of a set: ascending by code point, no repeats."""
    if any(later <= earlier for earlier, later in itertools.pairwise(items)):
        msg = "the items must be sorted and unique"
        raise ValueError(msg)
    return items


AgencyId = Annotated[str, Field(pattern=AGENCY_ID_PATTERN)]
State = Annotated[str, Field(pattern=STATE_PATTERN)]
Subject = Annotated[str, Field(pattern=rf"{AGENCY_ID_PATTERN}|{STATE_PATTERN}|{GROUP_PATTERN}")]
Topic = Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length=64)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+.:@-]{0,63}$")]
ShortText = Annotated[str, Field(min_length=1, max_length=200)]
Hash = Annotated[bytes, Field(min_length=HASH_BYTES, max_length=HASH_BYTES)]
Signature = Annotated[bytes, Field(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
SignPublicKey = Annotated[bytes, Field(min_length=SIGN_KEY_BYTES, max_length=SIGN_KEY_BYTES)]
BoxPublicKey = Annotated[bytes, Field(min_length=BOX_KEY_BYTES, max_length=BOX_KEY_BYTES)]
# Not Literal[1], which also admits True: two spellings of one version.
Version = Annotated[int, Field(ge=PROTOCOL_VERSION, le=PROTOCOL_VERSION)]
Uint = Annotated[int, Field(ge=0, le=UINT_MS_MAX)]
Millis = Annotated[int, Field(ge=0, le=UINT_MS_MAX)]

Words = Annotated[tuple[Word, ...], Field(max_length=LABEL_ITEMS_MAX), AfterValidator(_sorted_and_unique)]
Subjects = Annotated[tuple[Subject, ...], Field(max_length=LABEL_ITEMS_MAX), AfterValidator(_sorted_and_unique)]
States = Annotated[tuple[State, ...], Field(max_length=LABEL_ITEMS_MAX), AfterValidator(_sorted_and_unique)]
AgencyIds = Annotated[tuple[AgencyId, ...], Field(max_length=LABEL_ITEMS_MAX), AfterValidator(_sorted_and_unique)]
