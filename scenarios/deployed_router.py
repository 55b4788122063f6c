"""The router's part of a deployed region, run as a client of somebody else's MQTT 5 broker.

Beside scenarios/deployed_broker.py, which runs the same part with our own server in front: here the part's own link
settings say who the router is at the other broker.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

from broker.foreign import ForeignHost
from scenarios.certificates import check_certificate
from scenarios.deployed import read_link_password, read_settings
from scenarios.deployed_broker import BrokerPart, running_service
from scenarios.deployment import (
    LINK_AUTHORITY_FILE,
    LINK_FILE,
    ROUTER_CERTIFICATE_FILE,
    ROUTER_CERTIFICATE_KEY_FILE,
    LinkSettings,
    is_loopback,
)
from scenarios.enrolment import ROUTER
from scenarios.region import World
from transport.mqtt import MqttAddress, client_tls_context, mqtt_router_connect

_ACTIVE: Final = "active"
_REVOKED: Final = "revoked"


def router_settings(part: BrokerPart) -> LinkSettings:
    """Return where the router finds its broker, as ``init`` was told.

    Raises:
        InputError: If the file is missing or damaged.
    """
    return read_settings(part.folder / LINK_FILE)


@asynccontextmanager
async def running_router(
    part: BrokerPart, *, world: World, settings: LinkSettings, on_link: Callable[[bool], None]
) -> AsyncGenerator[int, None]:
    """Run the router behind another broker while the block runs; the block begins once the link is up.

    Args:
        part: Its part of the region.
        world: Clocks and entropy.
        settings: Where the broker is; by TLS with the router's certificate, or on loopback by its link password.
        on_link: Told each time that the link is up, and each time that it has ended.

    Yields:
        How many agencies the router listens to.

    Raises:
        InputError: If the link settings are missing or damaged, or the certificate does not hold.
        StoreError: If the database cannot be opened.
        LinkError: If the broker cannot be reached at first, or refuses the router; inside a group.
    """
    address = _address(part, settings, now_ms=world.clock.now_ms())
    async with running_service(part, world=world) as (service, core):
        agencies = [
            item.agency for item in core.bundle.agencies if item.status != _REVOKED
        ]  # who is suspended may be back

        def active(agency: str) -> bool:
            found = core.community.agency(agency)
            return found is not None and found.status == _ACTIVE

        host = ForeignHost(
            service,
            connect=mqtt_router_connect(address),
            agencies=agencies,
            active=active,
            machine_clock=world.machine_clock,
            on_link=on_link,
        )
        async with host.running():
            yield len(agencies)


def _address(part: BrokerPart, settings: LinkSettings, *, now_ms: int) -> MqttAddress:
    """Return the broker's address with the router's certificate, or on loopback with its password; never both."""
    if not settings.tls and is_loopback(settings.host):
        password = read_link_password(part.folder / LINK_FILE)
        return MqttAddress(host=settings.host, port=settings.port, agency=ROUTER, password=password)
    certificate, authority = part.folder / ROUTER_CERTIFICATE_FILE, part.folder / LINK_AUTHORITY_FILE
    check_certificate(certificate, authority, name=ROUTER, at_ms=now_ms)
    context = client_tls_context(
        certificate=str(certificate), key=str(part.folder / ROUTER_CERTIFICATE_KEY_FILE), authority=str(authority)
    )
    return MqttAddress(host=settings.host, port=settings.port, agency=ROUTER, tls=context)
