"""The bundle in force and the router: what changes with it, and what it must not contradict."""

import pytest

from broker.state import Admitted
from conformance import world
from conformance.evil_book import envelope
from schemas.bundle import Agency, SignKey
from schemas.errors import InputError, RemoteError
from tests.samples.small_core import NOW, decide, refused, router, verdict_of, with_agency

DAY_MS = world.DAY_MS


def test_a_revoked_author_is_refused_on_arrival_whatever_its_message_says() -> None:
    core = router()
    core.install(with_agency("alpha", status="revoked"))

    assert "KEY_REVOKED" == refused(envelope(ts=NOW - DAY_MS, exp=NOW + DAY_MS), core=core).code


def test_a_bundle_that_fails_half_way_leaves_no_half_of_it_in_force() -> None:
    """It compiles, and one of its keys is weak: policy and keys must go on being of one version."""
    core = router()
    weak = with_agency("golf", keys=(SignKey(bytes(32), 0, NOW + DAY_MS),), status="suspended")

    with pytest.raises(RemoteError):
        core.install(weak)

    golf = core.community.agency("golf")
    assert isinstance(golf, Agency)
    assert "active" == golf.status
    assert world.BUNDLE == core.bundle
    assert isinstance(decide(envelope(readers=(("golf", (0,)),)), core=core), Admitted)


def test_a_bundle_that_contradicts_itself_is_refused() -> None:
    core = router()

    with pytest.raises(InputError):
        core.install(with_agency("golf", clearance="EX-NOBODY-KNOWS"))

    assert world.BUNDLE == core.bundle


def test_permitting_rules_are_remembered_by_label_and_forgotten_with_the_bundle() -> None:
    core = router()
    decide(envelope(), core=core)
    renamed = tuple(rule._replace(rule="N9") if rule.rule == "N1" else rule for rule in world.BUNDLE.rules)
    core.install(world.BUNDLE._replace(rules=renamed))

    decided = decide(envelope(), core=core)

    assert isinstance(decided, Admitted)
    assert ("N9",) == verdict_of(decided).rules
