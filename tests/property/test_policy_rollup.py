"""The algebra of rolled-up labels: a product reaches nobody whom one of its parts does not."""

import functools

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.community import Community
from policy.rollup import Part, product_audience, roll_up
from schemas.bundle import Bundle
from schemas.label import Label
from tests.samples.policy_strategies import EVERYTHING, NOW, audience, bundles, labels, originators, quick


def rolled(community: Community, *parts: Label) -> Label:
    return roll_up(parts, community)


@settings(quick, max_examples=200)
@given(bundle=bundles(fixed=(EVERYTHING,)), one=labels(), two=labels(), three=labels())
def test_roll_up_is_associative_commutative_and_idempotent(
    bundle: Bundle, one: Label, two: Label, three: Label
) -> None:
    """Who combined what first, and how often, must not matter: products are made of products."""
    community = Community.compile(bundle)
    roll = functools.partial(rolled, community)

    assert roll(one, two) == roll(two, one)
    assert roll(roll(one, two), three) == roll(one, roll(two, three)) == roll(one, two, three)
    assert roll(roll(one)) == roll(one) == roll(one, one)
    assert roll(roll(one, two), two) == roll(one, two)


@settings(quick, max_examples=200)
@given(bundle=bundles(fixed=(EVERYTHING,)), one=labels(), two=labels(), originator=originators)
def test_a_rolled_up_label_has_no_reader_that_a_part_lacks(
    bundle: Bundle, one: Label, two: Label, originator: str
) -> None:
    community = Community.compile(bundle)

    product = audience(rolled(community, one, two), originator, community)

    assert product & ~audience(one, originator, community) == 0
    assert product & ~audience(two, originator, community) == 0


@quick
@given(bundle=bundles(), parts=st.lists(st.tuples(labels(), originators), min_size=1, max_size=3), by=originators)
def test_a_product_reaches_nobody_whom_a_part_does_not(bundle: Bundle, parts: list[tuple[Label, str]], by: str) -> None:
    """Under any rules, also those that permit a wider topic or an affected state of the other part."""
    community = Community.compile(bundle)

    product = product_audience([Part(*part) for part in parts], originator=by, at_ms=NOW, community=community)

    for label, originator in parts:
        assert product & ~audience(label, originator, community) == 0
