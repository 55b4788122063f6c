"""The router behind somebody else's broker: what stands for a session there; the link is a fake, the router is real."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from broker.foreign import ForeignHost
from broker.foreign_link import ForeignLimits
from broker.quota import QuotaLimits, Quotas
from broker.service import BrokerService
from conformance import world
from conformance.evil_book import sealed
from schemas.errors import LinkError
from schemas.frames import (
    Ack,
    CheckpointMessage,
    Delivery,
    DownMessage,
    EnvelopeMessage,
    Hail,
    Heartbeat,
    Hello,
    Resume,
    UpMessage,
    VerdictMessage,
    read_down_frame,
    write_frame,
)
from schemas.topics import down_topic, up_topic
from tests.samples.small_router import SmallRouter
from transport.failures import first_of
from transport.router_link import Passing, Received, RouterLink

LIMIT_S = 30
LIMITS = ForeignLimits(look_ms=1)  # the clock stands until a test sets it, so looks may be frequent


class SetClock:
    def __init__(self) -> None:
        self.at_ms = world.NOW

    def now_ms(self) -> int:
        return self.at_ms


class FakeLink:
    """A broker that takes everything, unless the test says otherwise."""

    def __init__(self) -> None:
        self.topics: list[str] = []
        self.sent: list[tuple[str, DownMessage]] = []
        self.acknowledged: list[int] = []
        self.passing: dict[str, Passing] = {}
        self._arriving: asyncio.Queue[Received | LinkError] = asyncio.Queue()
        self._packets = 0

    async def listen(self, topics: Sequence[str]) -> None:
        self.topics += topics

    async def frames(self) -> AsyncIterator[Received]:
        while True:
            arrived = await self._arriving.get()
            if isinstance(arrived, LinkError):
                raise arrived
            yield arrived

    def acknowledge(self, received: Received) -> None:
        self.acknowledged.append(received.packet)

    async def send(self, topic: str, frame: bytes) -> Passing:
        await asyncio.sleep(0)
        self.sent += [(topic, message) for message in read_down_frame(frame)]
        return self.passing.get(topic, Passing.TAKEN)

    def say(self, agency: str, *messages: UpMessage) -> int:
        """Have a frame arrive on the agency's up topic; returns the number of its publish."""
        return self.say_bytes(up_topic(agency), write_frame(messages))

    def say_bytes(self, topic: str, payload: bytes) -> int:
        self._packets += 1
        self._arriving.put_nowait(Received(topic=topic, payload=payload, packet=self._packets))
        return self._packets

    def end(self) -> None:
        self._arriving.put_nowait(LinkError("the link ended"))

    def got(self, agency: str) -> list[DownMessage]:
        return [message for topic, message in self.sent if topic == down_topic(agency)]

    def hails(self, agency: str) -> int:
        return sum(isinstance(message, Hail) for message in self.got(agency))


class Scene:
    """A router, its host, and the links that the host has opened."""

    def __init__(self, folder: Path, quotas: QuotaLimits) -> None:
        self.clock = SetClock()
        self.behind = SmallRouter(folder)
        self.service = BrokerService(
            router=self.behind.router,
            authenticator=lambda _credentials: None,
            quotas=Quotas(quotas),
            clock=self.clock,
            machine_clock=self.clock,
        )
        self.looks = 0
        unfinished = self.service.unfinished

        def looked() -> dict[str, int]:
            self.looks += 1
            return unfinished()

        self.service.unfinished = looked  # type: ignore[method-assign] # counted, and done
        self.links: list[FakeLink] = []
        self.told: list[bool] = []
        self.unreachable = False
        self.revoked: set[str] = set()
        self.host = ForeignHost(
            self.service,
            connect=self._connect,
            agencies=world.READERS,
            active=lambda agency: agency not in self.revoked,
            machine_clock=self.clock,
            on_link=self.told.append,
            limits=LIMITS,
        )

    @property
    def link(self) -> FakeLink:
        return self.links[-1]

    @asynccontextmanager
    async def _connect(self) -> AsyncGenerator[RouterLink, None]:
        if self.unreachable:
            msg = "nobody is there"
            raise LinkError(msg)
        self.links.append(FakeLink())
        yield self.link

    def queue_for(self, reader: str, name: str = "report") -> None:
        """Have the author, who need not be here, release a report to a reader before the router is hosted."""
        self.behind.report(name, reader)

    async def until(self, holds: Callable[[], object]) -> None:
        while not holds():  # noqa: ASYNC110 - several tasks and a thread bring it about
            await asyncio.sleep(0.001)

    async def greet(self, agency: str, dseq: int = 0) -> None:
        """Have an agency say hello, and wait for the answer."""
        before = self.resumes(agency)
        self.link.say(agency, Hello("hello", dseq, world.BUNDLE_VERSION))
        await self.until(lambda: self.resumes(agency) > before)

    async def looked_after(self) -> None:
        """Wait until the host has looked, by this clock, and has said what follows: one look may have begun before."""
        looks = self.looks + 2
        await self.until(lambda: self.looks > looks)

    def resumes(self, agency: str) -> int:
        return sum(isinstance(message, Resume) for message in self.link.got(agency))

    def deliveries(self, agency: str) -> list[int]:
        return [message.dseq for message in self.link.got(agency) if isinstance(message, Delivery)]


@asynccontextmanager
async def hosted(
    folder: Path, *, quotas: QuotaLimits | None = None, before: Callable[[Scene], None] = lambda _scene: None
) -> AsyncGenerator[Scene, None]:
    scene = Scene(folder, quotas or QuotaLimits())
    before(scene)
    try:
        async with asyncio.timeout(LIMIT_S), scene.service.running(), scene.host.running():
            yield scene
    finally:
        scene.behind.close()


async def test_it_listens_on_each_agency_s_own_topic_in_full_and_hails_everybody(tmp_path: Path) -> None:
    async with hosted(tmp_path) as scene:
        await scene.until(lambda: all(scene.link.hails(agency) for agency in world.READERS))

        assert [up_topic(agency) for agency in world.READERS] == scene.link.topics
        assert not any(char in topic for topic in scene.link.topics for char in "+#$")
        assert [True] == scene.told


async def test_a_hello_begins_a_session_and_deliveries_go_out_on_the_reader_s_topic(tmp_path: Path) -> None:
    async with hosted(tmp_path, before=lambda scene: scene.queue_for("bravo")) as scene:
        await scene.greet("bravo")
        await scene.until(lambda: scene.deliveries("bravo") == [1])
        assert not scene.service.idle()
        packet = scene.link.say("bravo", Ack("ack", 1))
        await scene.until(lambda: packet in scene.link.acknowledged)

        assert scene.service.idle()
        assert 0 == scene.behind.queued("bravo")


async def test_frames_are_acknowledged_when_decided_and_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    """Also where the later one could be refused at once: MQTT-4.6.0-2."""
    _, made = sealed(name="one", labels=(world.LABEL,), readers=(("bravo", (0,)),))
    async with hosted(tmp_path) as scene:
        packets = [
            scene.link.say("alpha", Hello("hello", 0, world.BUNDLE_VERSION)),
            scene.link.say("alpha", EnvelopeMessage("envelope", made)),
            scene.link.say_bytes(up_topic("bravo"), b"no frame"),
            scene.link.say("charlie", Hello("hello", 0, world.BUNDLE_VERSION)),
        ]
        await scene.until(lambda: len(scene.link.acknowledged) == len(packets))

        assert packets == scene.link.acknowledged
        assert 1 == len(scene.behind.records("admitted"))


async def test_who_speaks_without_a_hello_is_hailed_and_gets_its_verdict_and_no_more(tmp_path: Path) -> None:
    """Its hello was lost, or said to a router that is dead: it need not wait for its heartbeat to be heard."""
    _, made = sealed(name="one", labels=(world.LABEL,), readers=(("bravo", (0,)),))
    async with hosted(tmp_path, before=lambda scene: scene.queue_for("alpha")) as scene:
        await scene.until(lambda: scene.link.hails("india"))
        hails = scene.link.hails("alpha")
        scene.link.say("alpha", Heartbeat("heartbeat", world.NOW, ()), EnvelopeMessage("envelope", made))
        await scene.until(lambda: any(isinstance(message, VerdictMessage) for message in scene.link.got("alpha")))
        packet = scene.link.say("alpha", Heartbeat("heartbeat", world.NOW, ()))
        await scene.until(lambda: packet in scene.link.acknowledged)

        assert hails + 1 == scene.link.hails("alpha")
        assert [] == scene.deliveries("alpha")
        assert [] == [message for message in scene.link.got("alpha") if isinstance(message, CheckpointMessage)]

        scene.clock.at_ms += LIMITS.hail_again_ms
        await scene.until(lambda: scene.link.hails("alpha") == hails + 2)


async def test_an_agency_that_falls_silent_holds_nothing(tmp_path: Path) -> None:
    async with hosted(tmp_path, before=lambda scene: scene.queue_for("bravo")) as scene:
        await scene.greet("bravo")
        await scene.until(lambda: scene.deliveries("bravo") == [1])
        scene.clock.at_ms += LIMITS.silence_ms + 1
        await scene.until(scene.service.idle)

        assert 1 == scene.behind.queued("bravo")
        await scene.greet("bravo")
        await scene.until(lambda: scene.deliveries("bravo") == [1, 1])


async def test_a_session_is_over_when_the_broker_says_that_nobody_listens(tmp_path: Path) -> None:
    async with hosted(tmp_path, before=lambda scene: scene.queue_for("bravo")) as scene:
        scene.link.passing[down_topic("bravo")] = Passing.NOBODY_LISTENS
        await scene.greet("bravo")
        await scene.until(scene.service.idle)

        scene.link.passing.clear()
        await scene.greet("bravo")
        await scene.until(lambda: 1 in scene.deliveries("bravo"))


async def test_a_topic_that_the_router_may_not_write_is_said_with_its_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosted(tmp_path) as scene:
        scene.link.passing[down_topic("bravo")] = Passing.NO_RIGHT
        scene.link.say("bravo", Hello("hello", 0, world.BUNDLE_VERSION))
        await scene.until(lambda: any(record.message == "router.no-right" for record in caplog.records))

    (said, *_) = [record for record in caplog.records if record.message == "router.no-right"]
    assert down_topic("bravo") == said.__dict__["topic"]


async def test_deliveries_of_which_none_is_acked_are_asked_about_ever_more_seldom(tmp_path: Path) -> None:
    """A broker drops without a word where a queue of its own is full; but a link may also just be slow."""
    async with hosted(tmp_path, before=lambda scene: scene.queue_for("bravo")) as scene:
        await scene.greet("bravo")
        await scene.until(lambda: scene.deliveries("bravo") == [1])
        hails = scene.link.hails("bravo")
        waits = []
        for _ in range(3):
            waited = 0
            while scene.link.hails("bravo") == hails:
                scene.clock.at_ms += 10_000
                waited += 10_000
                packet = scene.link.say("bravo", Heartbeat("heartbeat", world.NOW, ()))
                await scene.until(partial(scene.link.acknowledged.__contains__, packet))
                await scene.looked_after()
            hails = scene.link.hails("bravo")
            waits.append(waited)
            await scene.greet("bravo")

        assert waits == sorted(waits)
        assert waits[0] < waits[1] < waits[2]


async def test_what_was_over_quota_is_said_anew_after_a_while(tmp_path: Path) -> None:
    """Over another broker no PUBACK can tell its author, and a hello, an ack or a chunk may have been in it."""
    async with hosted(tmp_path, quotas=QuotaLimits(messages_burst=2, messages_per_s=1)) as scene:
        await scene.greet("bravo")
        hails = scene.link.hails("bravo")
        packet = scene.link.say("bravo", *[Heartbeat("heartbeat", world.NOW, ())] * 2)
        await scene.until(lambda: packet in scene.link.acknowledged)
        assert hails == scene.link.hails("bravo")
        scene.clock.at_ms += LIMITS.pause_ms

        await scene.until(lambda: scene.link.hails("bravo") == hails + 1)


async def test_what_a_revoked_agency_says_is_dropped_unread(tmp_path: Path) -> None:
    async with hosted(tmp_path, before=lambda scene: scene.queue_for("bravo")) as scene:
        await scene.until(lambda: scene.link.hails("india"))
        scene.revoked.add("bravo")
        packets = [
            scene.link.say("bravo", Hello("hello", 0, world.BUNDLE_VERSION)),
            scene.link.say_bytes("sw/1/stranger/up", write_frame((Hello("hello", 0, world.BUNDLE_VERSION),))),
        ]
        await scene.until(lambda: scene.link.acknowledged == packets)

        assert {Hail("hail")} == set(scene.link.got("bravo"))
        assert scene.service.idle()


async def test_the_router_comes_back_and_hails_all_who_were_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosted(tmp_path, before=lambda scene: scene.queue_for("bravo")) as scene:
        await scene.greet("bravo")
        await scene.until(lambda: scene.deliveries("bravo") == [1])
        scene.link.end()
        await scene.until(lambda: len(scene.links) == 2 and scene.link.hails("bravo"))

        assert scene.service.idle()
        assert [True, False, True] == scene.told
        await scene.greet("bravo")
        await scene.until(lambda: scene.deliveries("bravo") == [1])
    assert ["the link ended"] == [
        record.__dict__["error"] for record in caplog.records if record.message == "link.down"
    ]


async def test_a_first_link_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    def cut_off(scene: Scene) -> None:
        scene.unreachable = True

    with pytest.raises(BaseExceptionGroup) as caught:
        async with hosted(tmp_path, before=cut_off):
            pytest.fail("there is no link")
    assert "nobody is there" == str(first_of(caught.value, LinkError))


async def test_nobody_who_answers_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Mosquitto grants a subscription and delivers nothing where its access list has no right to read."""
    caplog.set_level(logging.WARNING)
    async with hosted(tmp_path) as scene:
        await scene.until(lambda: scene.link.hails("india"))
        scene.clock.at_ms += LIMITS.patience_ms + 1

        await scene.until(lambda: any(record.message == "router.hears-nobody" for record in caplog.records))
