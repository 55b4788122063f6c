"""Silence procedures at the router: who has to be asked, who may stop one until when, and what may go by one (H17)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from broker.audit.leaves import LetGoLeaf, read_statement
from broker.router import BundleSigned, Outcome
from conformance import world
from conformance.evil_book import sealed
from conformance.evil_sealer import Sealed
from policy.amendment import Amendment, amend
from schemas.bundle import Membership
from schemas.codec import unpack
from schemas.label import Label
from schemas.limits import PERMISSION_MS, SILENCE_PROCEDURE_MS_MIN
from schemas.workflow import ReleaseTerms
from sealing.statements import sign_bundle
from sealing.terms import terms_hash
from tests.samples.small_router import SmallRouter, numbers

FIRST: Final[Label] = world.LABEL._replace(tlp="GREEN", caveats=("MEMBERS-FIRST:our-eyes",))
ASKING: Final[Label] = Label("AMBER", "EX-UNCLAS", "workflow.proposal", mechanisms=("our-eyes",), precedence="PRIORITY")
OBJECTING: Final[Label] = ASKING._replace(topic="workflow.objection", mechanisms=())
HOUR_MS: Final = 3_600_000


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SmallRouter]:
    """Of the mechanism alpha, bravo and charlie are full members; delta is a partner."""
    bundle = world.BUNDLE._replace(
        mechanisms=tuple(
            item._replace(
                memberships=tuple(Membership(state, "member", world.KEYS_FROM) for state in ("IDN", "MYS", "SGP"))
            )
            if item.mechanism == "our-eyes"
            else item
            for item in world.BUNDLE.mechanisms
        )
    )
    made = SmallRouter(tmp_path, bundle=bundle)
    yield made
    made.close()


def word(outcome: Outcome) -> str:
    return outcome.decided[0][1]


def refusals(router: SmallRouter) -> list[tuple[str, str]]:
    """Return reader and rule of each refusal that the last refused release was told of."""
    _, _, named = unpack(router.records("refused")[-1].body, bytes_max=4_096)
    return [(reader, rule) for _, reader, rule, _ in named]


def sealed_product(*readers: str, with_blobs: bool = True) -> tuple[Sealed, bytes]:
    return sealed(
        name="product", labels=(FIRST,), exp=world.NOW + 5 * world.DAY_MS, with_blobs=with_blobs,
        readers=tuple((reader, (0,)) for reader in readers),
    )  # fmt: skip


def product(router: SmallRouter) -> tuple[bytes, int]:
    """Release a product to its members; returns its id and the bits of its one portion."""
    message, made = sealed_product("bravo", "charlie")
    router.send(made)
    return message.hid, message.bits(0)


def proposal(
    ref: bytes | None,
    *readers: str,
    wait_ms: int = HOUR_MS,
    name: str = "proposal",
    label: Label = ASKING,
    by: str = "alpha",
) -> tuple[bytes, bytes]:
    message, made = sealed(
        name=name, kind="proposal", ref=ref, labels=(label,), by=(by,), exp=world.NOW + wait_ms + PERMISSION_MS,
        readers=tuple((reader, (0,)) for reader in readers),
    )  # fmt: skip
    return message.hid, made


def objection(to: bytes, *readers: str, by: str = "bravo") -> bytes:
    return sealed(
        name=f"objection {by}", kind="objection", ref=to, labels=(OBJECTING,), by=(by,),
        readers=tuple((reader, (0,)) for reader in readers),
    )[1]  # fmt: skip


def to_partner() -> bytes:
    return sealed_product("delta", with_blobs=False)[1]


def opened(router: SmallRouter, *, delivered: tuple[str, ...] = ("bravo", "charlie")) -> bytes:
    """Release a product, put its release to delta to the members, and have these take it up."""
    hid, bits = product(router)
    asked, made = proposal(terms_hash(ReleaseTerms(hid, bits, "delta")), "bravo", "charlie")
    assert "accepted" == word(router.send(made))
    for member in delivered:
        router.ack(member, numbers(router.hello(member))[-1])
    return asked


def test_h17_a_partner_gets_nothing_that_goes_to_members_first(router: SmallRouter) -> None:
    _, outcome = router.report("at once", "bravo", "delta", label=FIRST)

    assert "AUDIENCE" == word(outcome)
    assert [("delta", "NTK-MEMBERS-FIRST")] == refusals(router)


def test_h17_what_no_member_objected_to_goes_to_exactly_the_partner_and_leaves_a_leaf(router: SmallRouter) -> None:
    asked = opened(router)
    router.now_ms += HOUR_MS + 1

    assert "accepted" == word(router.send(to_partner()))
    assert 1 == router.queued("delta")
    assert router.store.log is not None
    found = [read_statement(row.statement) for row in router.store.log.rows()]
    leaves = [leaf for leaf in found if isinstance(leaf, LetGoLeaf)]
    assert [("delta", asked, "our-eyes", world.NOW + HOUR_MS)] == [
        (leaf.reader, leaf.proposal, leaf.mechanism, leaf.object_by) for leaf in leaves
    ]


def test_h17_before_the_deadline_silence_is_no_consent(router: SmallRouter) -> None:
    """At the very time that was named a member may still object."""
    opened(router)
    router.now_ms += HOUR_MS

    assert "AUDIENCE" == word(router.send(to_partner()))


def test_h17_one_objection_in_time_stops_it_however_late_it_comes_to_its_proposer(router: SmallRouter) -> None:
    asked = opened(router)
    router.now_ms += HOUR_MS
    assert "accepted" == word(router.send(objection(asked, "alpha"), sender="bravo"))
    router.now_ms += 1

    assert "AUDIENCE" == word(router.send(to_partner()))


def test_h17_an_objection_after_the_deadline_is_refused_and_stops_nothing(router: SmallRouter) -> None:
    asked = opened(router)
    router.now_ms += HOUR_MS + 1

    assert "STALE" == word(router.send(objection(asked, "alpha"), sender="bravo"))
    assert "accepted" == word(router.send(to_partner()))


def test_h17_who_was_not_there_has_not_been_silent(router: SmallRouter) -> None:
    """A member that takes the proposal up too late could not have objected, so nothing follows from it."""
    opened(router, delivered=("bravo",))
    router.now_ms += HOUR_MS + 1
    router.ack("charlie", numbers(router.hello("charlie"))[-1])

    assert "AUDIENCE" == word(router.send(to_partner()))


def test_h17_a_permission_ends(router: SmallRouter) -> None:
    opened(router)
    router.now_ms += HOUR_MS + PERMISSION_MS + 1

    assert "AUDIENCE" == word(router.send(to_partner()))


def test_h17_what_was_let_go_is_not_what_is_released(router: SmallRouter) -> None:
    """Other portions, another reader or another message have other terms."""
    hid, bits = product(router)
    for number, terms in enumerate(
        (ReleaseTerms(hid, bits << 1, "delta"), ReleaseTerms(hid, bits, "golf"), ReleaseTerms(bytes(32), bits, "delta"))
    ):
        router.send(proposal(terms_hash(terms), "bravo", "charlie", name=f"other {number}")[1])
    for member in ("bravo", "charlie"):
        router.ack(member, numbers(router.hello(member))[-1])
    router.now_ms += HOUR_MS + 1

    assert "AUDIENCE" == word(router.send(to_partner()))


def test_a_proposal_that_leaves_a_member_out_is_refused_with_its_name(router: SmallRouter) -> None:
    hid, bits = product(router)
    _, made = proposal(terms_hash(ReleaseTerms(hid, bits, "delta")), "bravo")
    outcome = router.send(made)

    assert "AUDIENCE" == word(outcome)
    assert [("charlie", "NTK-PROPOSAL")] == refusals(router)


def test_a_proposal_goes_to_nobody_but_members(router: SmallRouter) -> None:
    _, made = proposal(None, "bravo", "charlie", "golf")

    assert "AUDIENCE" == word(router.send(made))


def test_a_proposal_leaves_its_members_time(router: SmallRouter) -> None:
    _, enough = proposal(None, "bravo", "charlie", wait_ms=SILENCE_PROCEDURE_MS_MIN, name="enough")
    _, short = proposal(None, "bravo", "charlie", wait_ms=SILENCE_PROCEDURE_MS_MIN - 1, name="short")

    assert ("accepted", "REFERENCE") == (word(router.send(enough)), word(router.send(short)))


def test_a_proposal_names_one_mechanism(router: SmallRouter) -> None:
    nameless = ASKING._replace(mechanisms=())

    assert "REFERENCE" == word(router.send(proposal(None, "bravo", label=nameless)[1]))


def test_an_objection_comes_from_who_was_asked_and_goes_to_the_proposer_alone(router: SmallRouter) -> None:
    asked = opened(router)

    assert "REFERENCE" == word(router.send(objection(asked, "alpha", by="golf"), sender="golf"))
    assert "REFERENCE" == word(router.send(objection(bytes(32), "alpha"), sender="bravo"))
    assert "AUDIENCE" == word(router.send(objection(asked, "alpha", "charlie"), sender="bravo"))


def test_a_restart_forgets_neither_a_proposal_nor_an_objection(router: SmallRouter) -> None:
    asked = opened(router)
    router.send(objection(asked, "alpha"), sender="bravo")
    router.restart()
    router.now_ms += HOUR_MS + 1

    assert "AUDIENCE" == word(router.send(to_partner()))


def test_what_was_let_go_stays_queued_when_the_rules_change_for_others(router: SmallRouter) -> None:
    """The members were asked by the rules of that day; only what takes the partner's own right away cancels it."""
    opened(router)
    router.now_ms += HOUR_MS + 1
    router.send(to_partner())
    bundle = amend(router.core.bundle, [Amendment(step="leave", who="SGP", mechanism="our-eyes")], at_ms=router.now_ms)
    signed = sign_bundle(bundle, {name: world.sign_pair(name) for name in ("north", "south")})
    router.core.install(bundle)
    router.router.handle([BundleSigned(version=bundle.version, signed=signed)], now_ms=router.now_ms)

    assert 1 == router.queued("delta")
