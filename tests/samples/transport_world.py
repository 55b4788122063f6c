"""A broker under test, as the transport contract sees it: links of agencies, a router behind, and a line that can fail.

The contract (tests/e2e/test_transport_contract.py) is written once against these; each broker that we claim to run on
has a world of its own. Where brokers may differ, ``Capabilities`` names the difference, and the contract says of both
sides what they promise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from broker.limits import ServerLimits
from broker.listen import Address
from transport.link import Connect

A, B = "mys-mar", "idn-mar"
AGENCIES = (A, B)
PACKET_BYTES_MAX = ServerLimits().packet_bytes_max  # Mosquitto is told the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """In what brokers may differ, and nothing else.

    Args:
        decides: A publish is acknowledged when the router has decided. Else an acknowledgement promises nothing.
        tells_of_sessions: The router hears who comes and goes. Else it learns so from frames alone.
        refuses_aloud: What a client has no right to ends its link, or is refused by a reason code. Else it may be
            granted in words, and nothing comes of it.
    """

    decides: bool
    tells_of_sessions: bool
    refuses_aloud: bool


class RouterSide(Protocol):
    """What stands behind the broker: it keeps what comes up and sends down what the test says."""

    @property
    def arrived(self) -> list[tuple[str, bytes]]:
        """All that came up, in order: whose topic it came by, and the frame."""
        ...

    @property
    def sessions(self) -> list[str]:
        """What it was told of sessions, such as ``attached sgp-mar``; nothing where it is told nothing."""
        ...

    async def ready_for(self, agency: str) -> None:
        """Wait until what is sent to the agency has where to go."""
        ...

    async def send(self, agency: str, frame: bytes) -> None:
        """Send a frame down; whether anybody is there is the broker's matter."""
        ...

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that came in makes the condition true."""
        ...


class Line(Protocol):
    """What lies between one agency and the broker."""

    def lose(self, direction: Literal["up", "down"]) -> None:
        """Let nothing more through this way, and tell neither end."""
        ...

    def cut(self) -> None:
        """End what links there are, and let the next ones through again."""
        ...

    async def broker_let_go(self) -> None:
        """Wait until the broker has given up every link of this agency."""
        ...


class World(Protocol):
    """One broker, running."""

    @property
    def capabilities(self) -> Capabilities:
        """In what this broker differs from others."""
        ...

    @property
    def router(self) -> RouterSide:
        """Who stands behind it."""
        ...

    def connect(self, agency: str, *, proven: bool = True) -> Connect:
        """Return what opens the product's own link, with what proves that it is the agency, or with something else."""
        ...

    def line(self, agency: str) -> Line:
        """Return the line of an agency."""
        ...

    async def away(self) -> None:
        """Have the router take nothing from now on: it hangs, or is not there."""
        ...

    async def restart(self) -> None:
        """End the broker and start it again, with the router behind it."""
        ...


class MqttWorld(World, Protocol):
    """A broker that speaks MQTT, so that anybody's client can try its rights."""

    def address(self, agency: str) -> Address:
        """Return where clients of an agency reach it."""
        ...

    def password(self, agency: str) -> str:
        """Return an agency's link password."""
        ...
