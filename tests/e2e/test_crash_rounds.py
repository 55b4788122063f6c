"""Nothing that was accepted is lost, and nothing has two effects, wherever a process dies: real processes, kill -9.

Each round arms one process with one named point of the product (transport/failpoints.py), hands two reports over, waits
until that process has died there, and starts it again for the next round. At the end everything comes to rest, and what
all disks say must agree.
"""

from pathlib import Path
from typing import Final

import pytest

from tests.samples.crash_account import NODES, audited
from tests.samples.crash_lives import BROKER, PASSWORD, crash_region, wait_for
from transport.failpoints import POINTS, Point

*READERS, AUTHOR = NODES
READER: Final = READERS[0]
# Who dies, at which point, when it comes there for which time.
ROUNDS: Final[dict[str, tuple[tuple[str, Point, int], ...]]] = {
    "author": (
        (AUTHOR, "send.1", 1), (AUTHOR, "send.1", 2), (AUTHOR, "send.2", 1), (AUTHOR, "send.2", 2),
        (AUTHOR, "send.3", 1), (AUTHOR, "send.3", 2), (AUTHOR, "send.4", 1), (AUTHOR, "send.4", 2),
        (AUTHOR, "recv.1", 1), (AUTHOR, "recv.3", 1), (AUTHOR, "recv.3", 2),
    ),
    "reader": (
        (READER, "recv.1", 1), (READER, "recv.1", 2), (READER, "recv.2", 1), (READER, "recv.2", 2),
        (READER, "recv.3", 1), (READER, "recv.3", 2), (READER, "send.1", 1), (READER, "send.2", 1),
        (READER, "send.3", 1), (READER, "send.4", 1),
    ),
    "broker": (
        (BROKER, "route.1", 1), (BROKER, "route.1", 2), (BROKER, "route.2", 1), (BROKER, "route.2", 2),
        (BROKER, "route.2", 3), (BROKER, "route.3", 1), (BROKER, "route.3", 2), (BROKER, "route.4", 1),
        (BROKER, "route.4", 2), (BROKER, "audit.1", 1), (BROKER, "audit.2", 1),
    ),
}  # fmt: skip


def test_every_point_has_a_round_and_there_are_twenty() -> None:
    rounds = [named for group in ROUNDS.values() for named in group]

    assert set(POINTS) == {point for _, point, _ in rounds}
    assert len(rounds) >= 20


@pytest.mark.parametrize("group", ROUNDS)
def test_nothing_is_lost_or_doubled_wherever_a_process_dies(group: str, tmp_path: Path) -> None:
    with crash_region(tmp_path / "crash") as region:
        region.start_all()
        for name, point, count in ROUNDS[group]:
            region.lives[name].kill()
            life = region.start(name, (point, count))
            life.killed(lambda: region.hand_over(AUTHOR, 2))
            region.start(name)
        account = region.settle()

    assert [] == account.wrong(region.handed, region.told)
    assert "nothing is unexplained" in audited(region.folder, tmp_path / "log", password=PASSWORD)


def test_a_broker_may_die_again_and_again_while_three_nodes_send_and_receive(tmp_path: Path) -> None:
    """Each time when somebody's node has just said that it sent something, wherever the broker is by then."""
    with crash_region(tmp_path / "crash") as region:
        region.start_all()
        for number in range(9):
            author = NODES[number % len(NODES)]
            region.hand_over(author, 2)
            wait_for(lambda: len(region.told(author, "sent")) >= 2 * (number // len(NODES)) + 1 or None, "report sent")  # noqa: B023 - it is asked at once
            region.lives[BROKER].kill()
            region.start(BROKER)
        account = region.settle()

    assert [] == account.wrong(region.handed, region.told)
    assert "nothing is unexplained" in audited(region.folder, tmp_path / "log", password=PASSWORD)


def test_what_dies_before_it_is_on_disk_was_not_accepted_and_reaches_nobody(tmp_path: Path) -> None:
    """And what dies after it was accepted, though nobody was told: it is sent by the next life, once."""
    with crash_region(tmp_path / "crash") as region:
        region.start_all()
        for point in ("send.1", "send.2"):
            region.lives[AUTHOR].kill()
            life = region.start(AUTHOR, (point, 1), "--send", str(region.report()), "--once")
            life.killed(lambda: None)
            assert set() == region.told(AUTHOR, "sent")
        region.start(AUTHOR)
        account = region.settle()

    (released,) = account.released(AUTHOR)
    assert {(released.fields["hid"], reader, "opened") for reader in READERS} <= account.receipts
    assert ["delivered"] * 2 == [
        row.stage for row in account.records if row.stage == "delivered" and row.agency in READERS
    ]
