"""The community bundle: who is who, under which agreements, by which rules (docs/spec/need-to-know.md, "Bundle").

One signed file. A reader never goes back to a lower version, never uses an expired one, and refuses whatever the
bundle does not name.
"""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from schemas.names import (
    AgencyId,
    AgencyIds,
    Millis,
    ShortText,
    Signature,
    SignPublicKey,
    State,
    Subject,
    Uint,
    Version,
    Word,
    Words,
)

AgencyKind = Literal["member", "body", "partner", "industry", "staff"]
Status = Literal["active", "suspended", "revoked"]
Standing = Literal["member", "observer", "reciprocal", "contributor"]
Effect = Literal["permit", "forbid"]
PredicateName = Literal[
    "topic", "role", "state", "kind", "mechanism", "tlp", "level", "precedence", "caveat", "affected", "originator"
]


class SignKey(NamedTuple):
    """An Ed25519 key and when it holds, Unix ms; ``revoked`` is the arrival time from which it is refused."""

    key: SignPublicKey
    not_before: Millis
    expires: Millis
    revoked: Millis | None = None


class Agency(NamedTuple):
    """A participant. ``state`` is None for a regional body; ``client_of`` names agencies that protect it."""

    agency: AgencyId
    name: ShortText
    state: State | None
    role: Word
    kind: AgencyKind
    clearance: Word
    compartments: Words
    purposes: Words
    client_of: AgencyIds
    status: Status
    keys: Annotated[tuple[SignKey, ...], Field(min_length=1, max_length=8)]


class Group(NamedTuple):
    """A ``@group`` and the states and agencies it stands for; a group never holds a group."""

    group: Annotated[str, Field(pattern=r"^@[a-z0-9][a-z0-9-]{0,30}$")]
    members: Annotated[tuple[Subject, ...], Field(max_length=1_024)]


class Membership(NamedTuple):
    """One subject's standing in a mechanism, from ``begin`` until ``end`` (exclusive, None: open).

    A ``reciprocal`` member is a full member for as long as it is also a ``contributor``, and no longer.
    """

    subject: Subject
    standing: Standing
    begin: Millis
    end: Millis | None = None


class Mechanism(NamedTuple):
    """An agreement that authorises a flow, with its dated members and observers."""

    mechanism: Word
    title: ShortText
    memberships: Annotated[tuple[Membership, ...], Field(max_length=1_024)]


class Predicate(NamedTuple):
    """One test of a rule; it holds if any of its values does."""

    name: PredicateName
    values: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(min_length=1, max_length=64)
    ]


class Rule(NamedTuple):
    """A community routing rule; all predicates must hold. A rule without predicates is refused."""

    rule: Word
    effect: Effect
    predicates: Annotated[tuple[Predicate, ...], Field(min_length=1, max_length=11)]


class NationalMark(NamedTuple):
    """How a state's own marking maps onto the lattice; ``lossy`` says that the mapping loses meaning."""

    state: State
    mark: ShortText
    level: Word
    lossy: Annotated[int, Field(ge=0, le=1)]


class RouterKey(NamedTuple):
    """The key by which a router signs its verdicts."""

    router: AgencyId
    key: SignKey


class Bundle(NamedTuple):
    """The community as it stands in one version."""

    v: Version
    version: Uint
    issued: Millis
    expires: Millis
    levels: Annotated[tuple[Word, ...], Field(min_length=1, max_length=16)]  # lowest first, so not sorted
    compartments: Words
    groups: Annotated[tuple[Group, ...], Field(max_length=64)]
    mechanisms: Annotated[tuple[Mechanism, ...], Field(max_length=64)]
    agencies: Annotated[tuple[Agency, ...], Field(min_length=1, max_length=2_048)]
    routers: Annotated[tuple[RouterKey, ...], Field(min_length=1, max_length=8)]
    rules: Annotated[tuple[Rule, ...], Field(max_length=512)]
    marks: Annotated[tuple[NationalMark, ...], Field(max_length=512)]


class AuthoritySignature(NamedTuple):
    """One authority's signature over the bundle's bytes."""

    authority: AgencyId
    signature: Signature


class SignedBundle(NamedTuple):
    """The bundle's bytes and the signatures of m of its n authorities."""

    bundle: Annotated[bytes, Field(max_length=768 * 1024)]
    signatures: Annotated[tuple[AuthoritySignature, ...], Field(min_length=1, max_length=16)]


class Authority(NamedTuple):
    """One of the keys a node is given at enrolment, by which it judges bundles."""

    authority: AgencyId
    key: SignPublicKey


class TrustRoot(NamedTuple):
    """What a node trusts from the start: the authorities, and how many of them must have signed."""

    authorities: Annotated[tuple[Authority, ...], Field(min_length=1, max_length=16)]
    threshold: Annotated[int, Field(ge=1, le=16)]
