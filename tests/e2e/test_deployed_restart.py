"""A broker that is started again on a folder that has changed meanwhile."""

from pathlib import Path

from broker.store import Store
from scenarios.deployed import BROKER_DATABASE, read_shared
from scenarios.deployment import AUTHORITIES, BROKER, BUNDLE_FILE
from scenarios.enrolment import ROUTER
from sealing.keyfile import read_key_file, write_private
from sealing.keys import sign_pair_from_seed
from sealing.statements import sign_bundle
from tests.samples.crash_account import NODES, audited
from tests.samples.crash_lives import BROKER as BROKER_LIFE
from tests.samples.crash_lives import PASSWORD, Life, crash_region, wait_for
from transport.clock import SystemClock

READER, OTHER, AUTHOR = NODES
OPENED = ("receipt", OTHER, "opened")


def said_by(life: Life) -> set[tuple[str, str, str]]:
    """Return event, reader and status of what a command has said."""
    return {(event["event"], event.get("reader", ""), event.get("status", "")) for event in life.events()}


def revoke(folder: Path, agency: str) -> None:
    """Put a bundle into the broker's folder that is one version later and revokes an agency."""
    shared = read_shared(folder / BROKER, now_ms=SystemClock().now_ms())
    agencies = tuple(
        item._replace(status="revoked") if item.agency == agency else item for item in shared.bundle.agencies
    )
    signers = {}
    for item in shared.root.authorities:
        path = folder / AUTHORITIES / f"{item.authority}.key"
        ring = read_key_file(path, name=item.authority, password=PASSWORD.encode())
        signers[item.authority] = sign_pair_from_seed(ring.sign_seed)
    bundle = shared.bundle._replace(version=shared.bundle.version + 1, agencies=agencies)
    write_private(folder / BROKER / BUNDLE_FILE, sign_bundle(bundle, signers))


def test_a_revocation_that_lies_in_the_folder_cancels_what_was_queued_before(tmp_path: Path) -> None:
    """Nothing may reach a revoked agency, whenever it was sent; and the log says what was cancelled."""
    with crash_region(tmp_path / "crash") as region:
        region.start_all()
        region.lives.pop(READER).kill()
        region.hand_over(AUTHOR)
        wait_for(lambda: OPENED in said_by(region.lives[AUTHOR]) or None, "receipt of the other reader")
        region.lives.pop(BROKER_LIFE).kill()
        revoke(region.folder, READER)
        assert 0 == region.start(BROKER_LIFE).end()
        region.kill_all()

        store = Store.open(region.folder / "broker" / BROKER_DATABASE, router=ROUTER)
        rows = [(row.stage, row.agency) for row in store.records() if row.stage in {"bundle", "cancelled"}]
        left = store.queues()
        store.close()

        assert [("bundle", ""), ("bundle", ""), ("cancelled", READER)] == rows
        assert READER not in left
        assert "nothing is unexplained" in audited(region.folder, tmp_path / "log", password=PASSWORD)
