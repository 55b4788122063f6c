"""The embedded broker under the transport contract, on real sockets."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from broker.listen import Address
from broker.server import MqttServer
from sealing.entropy import SystemEntropy
from tests.samples.lossy_line import LossyLine
from tests.samples.recording_router import RecordingRouter
from tests.samples.transport_world import AGENCIES, Capabilities
from transport.link import Connect
from transport.mqtt import MqttAddress, mqtt_connect


class EmbeddedWorld:
    """See ``tests.samples.transport_world.MqttWorld``."""

    capabilities = Capabilities(decides=True, tells_of_sessions=True, refuses_aloud=True)

    def __init__(self) -> None:
        self._passwords = {agency: SystemEntropy().take(8).hex() for agency in AGENCIES}
        self._lines = {agency: LossyLine(lambda: self._address) for agency in AGENCIES}
        self._address = Address("", 0)
        self._serving = AsyncExitStack()
        self.router = RecordingRouter(self._passwords)

    def connect(self, agency: str, *, proven: bool = True) -> Connect:
        host, port = self.address(agency)
        password = self._passwords[agency] if proven else "guessed"
        return mqtt_connect(MqttAddress(host=host, port=port, agency=agency, password=password))

    def line(self, agency: str) -> LossyLine:
        return self._lines[agency]

    def address(self, agency: str) -> Address:
        return self._lines[agency].address

    def password(self, agency: str) -> str:
        return self._passwords[agency]

    async def away(self) -> None:
        self.router.hang()

    async def restart(self) -> None:
        await self._serving.aclose()
        await self.start()

    async def start(self) -> None:
        """Serve until the next ``restart``, or the end."""
        self._address = await self._serving.enter_async_context(MqttServer(self.router).listening())

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["EmbeddedWorld", None]:
        """Run the broker and the lines while the block runs."""
        async with AsyncExitStack() as lines:
            for line in self._lines.values():
                await lines.enter_async_context(line.listening())
            await self.start()
            try:
                yield self
            finally:
                self.router.go_on()
                await self._serving.aclose()
