"""Bundles that reach a node: proved, kept and used, or refused and noted."""

from pathlib import Path

from conformance import world
from schemas.frames import BundleMessage
from sealing.statements import sign_bundle
from tests.samples.small_nodes import draft, frame_of, small_region, until


async def test_a_new_bundle_is_proved_kept_and_used_and_an_old_one_refused(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        outcome = region.router.install(status={"bravo": "suspended"})
        region.wire.follow(outcome)
        await until(lambda: region.nodes["alpha"].core.bundle.version == world.BUNDLE_VERSION + 1)
        region.wire.links["alpha"].arriving.put_nowait(frame_of(BundleMessage("bundle", world.signed_bundle())))
        await until(lambda: region.journal("alpha", "rejected"))
        left_out = (await region.nodes["alpha"].release(draft("one", "bravo"))).left_out

        assert {"bravo": "NTK-RECIPIENT"} == left_out
        assert ["ROLLBACK"] == [entry.fields["code"] for entry in region.journal("alpha", "rejected")]
        await region.stop("bravo")
        await region.stop("alpha")
        region.start("alpha")
        await region.settle()
        kept = region.nodes["alpha"].store.signed_bundle()
        assert kept == next(m for m in outcome.sends["alpha"] if isinstance(m, BundleMessage)).signed_bundle


async def test_the_same_bundle_twice_changes_and_notes_nothing(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha") as region:
        later = world.BUNDLE._replace(version=world.BUNDLE_VERSION + 1)
        signed = sign_bundle(later, {name: world.sign_pair(name) for name in world.AUTHORITIES})
        for _ in range(2):
            await region.nodes["alpha"]._took((BundleMessage("bundle", signed),))
        compiled = region.nodes["alpha"].core.community
        await region.nodes["alpha"]._took((BundleMessage("bundle", signed),))

        assert [later.version] == [entry.fields["version"] for entry in region.journal("alpha", "bundle")]
        assert compiled is region.nodes["alpha"].core.community
        assert signed == region.nodes["alpha"].store.signed_bundle()


async def test_a_bundle_of_strangers_is_refused(tmp_path: Path) -> None:
    async with small_region(tmp_path, "alpha") as region:
        forged = sign_bundle(world.BUNDLE._replace(version=99), {"north": world.sign_pair("north")})
        region.wire.links["alpha"].arriving.put_nowait(frame_of(BundleMessage("bundle", forged)))
        await until(lambda: region.journal("alpha", "rejected"))

        assert ["THRESHOLD"] == [entry.fields["code"] for entry in region.journal("alpha", "rejected")]
        assert world.BUNDLE_VERSION == region.nodes["alpha"].core.bundle.version
