"""A pack is played while its broker stops and starts again on its disk: what is released is received, once."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from agencies.incoming import Arrival
from agencies.node import Node, NodeTimings
from agencies.store import NodeStore
from broker.store import Store
from conformance.audit_verifier import verify_folder
from scenarios.catalogue import find_pack
from scenarios.engine import prepared
from scenarios.enrolment import Community
from scenarios.pack import load_pack
from scenarios.record import read_record
from scenarios.region import World, make_node
from scenarios.shaping import LinkShaper
from sealing.entropy import SystemEntropy
from tests.samples.live_region import HOST, LiveRegion
from transport.link import Connect
from transport.mqtt import MqttAddress, mqtt_connect

RESTARTS_MIN: Final = range(12, 360, 29)  # of exercise time, in a play of six hours


class ChangingBroker:
    """What an exercise asks of its broker, which is another one after each restart."""

    def __init__(self, region: "PlayedRegion") -> None:
        self._region = region

    def stirring(self) -> bool:
        """Tell whether it is at work, or a node is without a link: real time passes then, and exercise time stands."""
        region = self._region
        away = [agency for agency in region.nodes if agency not in region.service._attachments]
        # A link whose frames are held in exercise time ends, for its node, after them.
        return region.service.stirring() or any(not region.shapers[agency]._down_held for agency in away)

    def frames_sent(self, agency: str) -> int:
        """Return how many frames went to an agency; of a link that has ended with its broker none is on the wire."""
        if agency in self._region.service._attachments:
            return self._region.service.frames_sent(agency)
        return self._region.shapers[agency].received

    def __getattr__(self, name: str) -> Any:
        return getattr(self._region.service, name)


class PlayedRegion(LiveRegion):
    """What an exercise sees of a region (``scenarios.region.Region``), with a broker that changes under it."""

    shapers: Mapping[str, LinkShaper] = MappingProxyType({})  # until play begins

    @property
    def broker(self) -> ChangingBroker:
        return ChangingBroker(self)

    def join(
        self,
        agency: str,
        shape: Callable[[str, Connect], Connect],
        on_arrival: Callable[[str, Arrival], None],
        timings: NodeTimings,
    ) -> Node:
        """Start a node behind the relay, with a link of the pack's quality."""
        address = MqttAddress(host=HOST, port=self.relay.port, agency=agency, password=self.passwords[agency])
        node = self.nodes[agency] = make_node(
            self.community,
            NodeStore.open(self.folder / "nodes" / f"{agency}.sqlite", agency=agency),
            connect=shape(agency, mqtt_connect(address)),
            disk=self.disk,
            world=self.world,
            on_arrival=partial(on_arrival, agency),
            timings=replace(timings, retry_least_s=0.02, retry_most_s=0.1),
        )
        self._running[agency] = self.tasks.create_task(self._run(node), name=f"{agency}-test")
        return node


@asynccontextmanager
async def played(
    community: Community,
    *,
    folder: Path,
    world: World,
    on_arrival: Callable[[str, Arrival], None],
    shape: Callable[[str, Connect], Connect],
    timings: NodeTimings,
) -> AsyncGenerator[Any, None]:
    with ThreadPoolExecutor(max_workers=4) as disk:
        region = PlayedRegion(community, folder, world, disk)
        async with region.relay.running():
            await region.start_broker()
            try:
                async with asyncio.TaskGroup() as tasks:
                    region.tasks = tasks
                    for agency in community.rings:
                        region.join(agency, shape, on_arrival, timings)
                    await region.settle()
                    yield region
                    for agency in list(region.nodes):
                        await region.kill(agency)
            finally:
                await region.stop_broker()


async def play(folder: Path) -> list[int]:
    """Play the pack with restarts; returns how many rows waited at each."""
    pack = load_pack(find_pack("strait-lantern"))
    waited: list[int] = []
    start = partial(played, folder=folder / "databases")
    async with prepared(pack, folder=folder, entropy=SystemEntropy(), start=start) as (exercise, region):
        live: Any = region
        live.shapers = exercise._shapers

        async def restart() -> None:
            store: Store = live.store
            waited.append(
                sum(store.queues().values()) + sum(node.store.waiting_count() for node in live.nodes.values())
            )
            await live.stop_broker()
            await live.start_broker()

        for minute in RESTARTS_MIN:
            exercise.clock.at(pack.start_ms + minute * 60_000, restart)
        await exercise.play(region)
    return waited


def test_a_play_loses_nothing_when_its_broker_restarts_again_and_again(tmp_path: Path) -> None:
    waited = asyncio.run(play(tmp_path))

    assert len(RESTARTS_MIN) == len(waited)
    assert any(waited), "nothing was under way at any restart"
    record = read_record(tmp_path / "record")
    released = [event for event in record if event.stage == "released"]
    assert len(released) > len(RESTARTS_MIN)
    expected = Counter((reader, event.fields["hid"]) for event in released for reader in event.fields["audience"])
    hids = {event.fields["hid"] for event in released}
    verified = [(event.source, event.fields["hid"]) for event in record if event.stage == "verified"]
    assert expected == Counter(found for found in verified if found[1] in hids)
    assert () == verify_folder(tmp_path / "log").findings
