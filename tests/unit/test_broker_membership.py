"""Living membership at the router (H18): joining gives no past traffic; leaving and suspension stop new traffic.

Each change is a version of the bundle made by the same steps as in an exercise (``policy.amendment``).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from broker.audit.leaves import CancelledLeaf, RevokedLeaf, read_statement
from broker.router import BundleSigned, Outcome
from conformance import world
from conformance.evil_book import sealed
from policy.amendment import Amendment, amend
from schemas.frames import BundleMessage
from schemas.label import Label
from sealing.statements import sign_bundle
from tests.samples.small_router import SmallRouter, numbers

POOL: Final[Label] = world.LABEL._replace(mechanisms=("our-eyes",))


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SmallRouter]:
    made = SmallRouter(tmp_path)
    yield made
    made.close()


def change(router: SmallRouter, *amendments: Amendment) -> Outcome:
    """Install the next version, signed by two of three authorities."""
    bundle = amend(router.core.bundle, amendments, at_ms=router.now_ms)
    signed = sign_bundle(bundle, {name: world.sign_pair(name) for name in ("north", "south")})
    router.core.install(bundle)
    return router.router.handle([BundleSigned(version=bundle.version, signed=signed)], now_ms=router.now_ms)


def joins(who: str) -> Amendment:
    return Amendment(step="join", who=who, mechanism="our-eyes")


def leaves(who: str) -> Amendment:
    return Amendment(step="leave", who=who, mechanism="our-eyes")


def observes(who: str) -> Amendment:
    return Amendment(step="observe", who=who, mechanism="our-eyes")


def words(outcome: Outcome) -> list[str]:
    return [word for _, word, _ in outcome.decided]


def released_again(name: str, reader: str) -> bytes:
    """Return the re-release of an earlier report of alpha to one more reader."""
    return sealed(name=name, labels=(POOL,), readers=((reader, (0,)),), with_blobs=False)[1]


def test_h18_a_new_member_is_sent_nothing_of_before_and_everything_of_after(router: SmallRouter) -> None:
    change(router, joins("IDN"))
    router.report("past", "charlie", label=POOL)
    router.hello("bravo")
    change(router, joins("SGP"))
    after_joining = router.hello("bravo")
    _, later = router.report("later", "bravo", "charlie", label=POOL)

    assert [] == numbers(after_joining)
    assert ["accepted"] == words(later)
    assert [1] == numbers(later.sends["bravo"])


def test_h18_an_old_report_reaches_a_new_member_by_its_originator_alone(router: SmallRouter) -> None:
    """Another member that holds it can hand the same bytes in as often as it likes."""
    change(router, joins("IDN"))
    router.report("past", "charlie", label=POOL)
    change(router, joins("SGP"))

    by_another = router.send(released_again("past", "bravo"), sender="charlie")
    by_alpha = router.send(released_again("past", "bravo"))

    assert "accepted" not in words(by_another)
    assert ["accepted"] == words(by_alpha)
    assert 1 == router.queued("bravo")


def test_h18_an_observer_gets_no_restricted_product(router: SmallRouter) -> None:
    change(router, observes("SGP"))
    _, to_observer = router.report("first", "bravo", label=POOL)
    change(router, joins("SGP"))
    _, to_member = router.report("second", "bravo", label=POOL)
    change(router, observes("SGP"))
    _, to_observer_again = router.report("third", "bravo", label=POOL)

    assert (["AUDIENCE"], ["accepted"], ["AUDIENCE"]) == (
        words(to_observer),
        words(to_member),
        words(to_observer_again),
    )


def test_h18_who_has_left_gets_nothing_new_and_no_old_report_either(router: SmallRouter) -> None:
    """Also by its originator: a re-release is judged as of its arrival."""
    change(router, joins("SGP"), joins("IDN"))
    router.report("past", "charlie", label=POOL)
    change(router, leaves("SGP"))

    _, new = router.report("new", "bravo", label=POOL)
    again = router.send(released_again("past", "bravo"))

    assert (["AUDIENCE"], ["AUDIENCE"]) == (words(new), words(again))
    assert 0 == router.queued("bravo")


def test_h18_what_is_queued_for_a_member_that_leaves_is_cancelled_with_a_leaf(router: SmallRouter) -> None:
    """What has not gone out is new to it; what it may have by other rules stays, and so does what is others'."""
    change(router, joins("SGP"), joins("IDN"))
    router.report("of the pool", "bravo", "charlie", label=POOL)
    router.report("of everybody", "bravo")
    change(router, leaves("SGP"))

    assert ["bravo"] == [row.agency for row in router.records("cancelled")]
    assert router.store.log is not None
    found = [read_statement(row.statement) for row in router.store.log.rows()]
    assert ["bravo"] == [leaf.reader for leaf in found if isinstance(leaf, CancelledLeaf)]
    assert (1, 1) == (router.queued("bravo"), router.queued("charlie"))
    assert [1] == numbers(router.hello("bravo"))


def test_h18_a_member_that_leaves_still_hears_of_the_recall_of_what_it_had(router: SmallRouter) -> None:
    change(router, joins("SGP"))
    message, _ = router.report("past", "bravo", label=POOL)
    router.hello("bravo")
    router.ack("bravo", 1)
    router.leave("bravo")
    router.send(sealed(name="recall", kind="recall", ref=message.hid, labels=(), readers=(("bravo", ()),))[1])
    change(router, leaves("SGP"))

    assert [] == router.records("cancelled")
    assert [2] == numbers(router.hello("bravo", dseq=1))


def test_h18_what_is_on_its_way_to_a_member_as_it_leaves_is_not_called_cancelled(router: SmallRouter) -> None:
    """It went out while its reader was a member, and nothing can stop it; the record says what happened."""
    change(router, joins("SGP"))
    router.hello("bravo")
    router.report("under way", "bravo", label=POOL)
    change(router, leaves("SGP"))
    router.ack("bravo", 1)

    assert [] == router.records("cancelled")
    assert ["bravo"] == [row.agency for row in router.records("delivered")]


def test_h18_whoever_leaves_and_comes_back_is_not_given_what_was_cancelled(router: SmallRouter) -> None:
    """Coming back is joining, and joining gives no past traffic."""
    change(router, joins("SGP"))
    router.report("before", "bravo", label=POOL)
    change(router, leaves("SGP"))
    change(router, joins("SGP"))

    assert [] == numbers(router.hello("bravo"))


@pytest.mark.parametrize("step", ["suspend", "revoke"])
def test_h18_what_is_queued_to_who_is_not_active_any_more_is_cancelled_with_a_leaf(
    router: SmallRouter, step: str
) -> None:
    """The log says of each row that it was taken back, and goes on being provable."""
    change(router, joins("SGP"))
    router.report("waiting", "bravo", label=POOL)

    outcome = change(router, Amendment(step=step, who="bravo"))  # type: ignore[arg-type] # parametrized
    _, later = router.report("later", "bravo", label=POOL)

    assert (0, ["AUDIENCE"]) == (router.queued("bravo"), words(later))
    assert ["bravo"] == [row.agency for row in router.records("cancelled")]
    assert router.store.log is not None
    found = [read_statement(row.statement) for row in router.store.log.rows()]
    assert ["bravo"] == [leaf.reader for leaf in found if isinstance(leaf, CancelledLeaf)]
    assert ["bravo"] == [leaf.agency for leaf in found if isinstance(leaf, RevokedLeaf)][-1:]
    assert "bravo" in outcome.closes


def test_h18_whoever_is_restored_gets_what_is_new_and_nothing_that_was_cancelled(router: SmallRouter) -> None:
    change(router, joins("SGP"))
    router.report("waiting", "bravo", label=POOL)
    change(router, Amendment(step="suspend", who="bravo"))
    change(router, Amendment(step="restore", who="bravo"))
    _, later = router.report("later", "bravo", label=POOL)

    assert ["accepted"] == words(later)
    assert [1] == numbers(router.hello("bravo"))


def test_h18_a_node_that_still_has_the_first_version_is_served_but_for_what_the_second_forbids(
    router: SmallRouter,
) -> None:
    """Its messages name the older version; it is told of the newer one with its next hello."""
    change(router, joins("SGP"))
    change(router, leaves("SGP"))
    told = [message for message in router.hello("alpha") if isinstance(message, BundleMessage)]
    _, allowed = router.report("allowed", "bravo")
    _, forbidden = router.report("forbidden", "bravo", label=POOL)

    assert world.BUNDLE_VERSION + 2 == router.core.bundle.version
    assert 1 == len(told)
    assert (["accepted"], ["AUDIENCE"]) == (words(allowed), words(forbidden))


def test_the_chair_may_read_nothing_by_it(router: SmallRouter) -> None:
    """Administration moves, reading rights do not: not even by a label that names the chair."""
    change(router, Amendment(step="chair", who="bravo"))
    _, restricted = router.report("restricted", "bravo", label=POOL)
    _, to_the_chair = router.report("to the chair", "bravo", label=POOL._replace(mechanisms=("chair",)))

    assert (["AUDIENCE"], ["AUDIENCE"]) == (words(restricted), words(to_the_chair))
