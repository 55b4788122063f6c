"""The broker's part of a deployed region: read it, check that it belongs together, and run the broker.

A running broker looks at its bundle file every few seconds and takes a new version up.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from broker.application import Credentials
from broker.core import Identity, RouterCore
from broker.limits import ServerLimits
from broker.listen import Address, server_tls_context
from broker.quota import QuotaLimits, Quotas
from broker.router import BundleSigned, Router
from broker.server import MqttServer
from broker.service import BrokerService
from broker.store import Store
from policy.community import Community
from scenarios.deployed import BROKER_DATABASE, Shared, prove_bundle, read_settings, read_shared
from scenarios.deployment import (
    BUNDLE_FILE,
    CERTIFICATE_FILE,
    CERTIFICATE_KEY_FILE,
    LINK_AUTHORITY_FILE,
    LINKS_FILE,
    ROUTER_KEY_FILE,
    SETTINGS_FILE,
    LinkSettings,
)
from scenarios.enrolment import ROUTER
from scenarios.link_passwords import LinkPasswords
from scenarios.part_files import read_part_file
from scenarios.region import World
from schemas.errors import InputError, KeyFileError, StoreError
from sealing.keyfile import read_key_file
from sealing.keys import SignPair, sign_pair_from_seed

log = logging.getLogger(__name__)

_BUNDLE_LOOK_S: Final = 2.0  # a revocation is in force within seconds, and a look is one call of the system


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPart:
    """The broker's part, checked."""

    folder: Path
    shared: Shared
    settings: LinkSettings
    signer: SignPair
    links: LinkPasswords


def read_broker_part(folder: Path, *, password: bytes, now_ms: int) -> BrokerPart:
    """Read the broker's part.

    Raises:
        InputError: If a file is missing or damaged.
        KeyFileError: If the key file does not open, or is of another region.
    """
    shared = read_shared(folder, now_ms=now_ms)
    settings = read_settings(folder / SETTINGS_FILE)
    links = LinkPasswords(folder / LINKS_FILE)
    ring = read_key_file(folder / ROUTER_KEY_FILE, name=ROUTER, password=password)
    signer = sign_pair_from_seed(ring.sign_seed)
    if signer.public not in [item.key.key for item in shared.bundle.routers if item.router == ROUTER]:
        msg = f"{folder / ROUTER_KEY_FILE} is the key of another region's router"
        raise KeyFileError(msg, remedy="files of two regions were mixed; put the right ones back")
    return BrokerPart(folder=folder, shared=shared, settings=settings, signer=signer, links=links)


@asynccontextmanager
async def running_broker(
    part: BrokerPart,
    *,
    world: World,
    host: str,
    port: int,
    tls: bool,
    on_bundle: Callable[[int], None] = lambda _version: None,
) -> AsyncGenerator[Address, None]:
    """Run the broker while the block runs.

    Args:
        part: Its part of the region.
        world: Clocks and entropy.
        host: The IP address to listen on; without ``tls`` only loopback is.
        port: The port, or 0 for any free one.
        tls: Whether links are TLS with client certificates.
        on_bundle: Told the version of each bundle that comes into force meanwhile.

    Raises:
        StoreError: If the database cannot be opened.
        ListenError: If the address cannot be listened on, or must not be.
    """
    context = None
    if tls:
        files = (part.folder / name for name in (CERTIFICATE_FILE, CERTIFICATE_KEY_FILE, LINK_AUTHORITY_FILE))
        context = server_tls_context(*files)
    async with running_service(part, world=world, on_bundle=on_bundle) as (service, _):
        server = MqttServer(service, limits=ServerLimits())
        async with server.listening(host=host, port=port, tls=context) as address:
            yield address


@asynccontextmanager
async def running_service(
    part: BrokerPart, *, world: World, on_bundle: Callable[[int], None] = lambda _version: None
) -> AsyncGenerator[tuple[BrokerService, RouterCore], None]:
    """Run the need-to-know side of the broker, whoever carries its frames, while the block runs.

    A new bundle that is put into the folder meanwhile is taken up.

    Raises:
        StoreError: If the database cannot be opened.
    """
    store = Store.open(part.folder / BROKER_DATABASE, router=ROUTER)
    try:
        router, core = _start_router(part, store, world)
        service = BrokerService(
            router=router,
            authenticator=_authenticator(part, core),
            quotas=Quotas(QuotaLimits()),
            clock=world.clock,
            machine_clock=world.machine_clock,
        )
        async with service.running(), asyncio.TaskGroup() as tasks:
            watch = _BundleWatch(part=part, service=service, core=core, world=world, on_bundle=on_bundle)
            watching = tasks.create_task(watch.keep_looking(), name="broker-bundle")
            try:
                yield service, core
            finally:
                watching.cancel()
    finally:
        store.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _BundleWatch:
    """Takes up a new bundle that is put into the folder; one that is refused is told of once, and left."""

    part: BrokerPart
    service: BrokerService
    core: RouterCore
    world: World
    on_bundle: Callable[[int], None]

    async def keep_looking(self) -> None:
        path = self.part.folder / BUNDLE_FILE
        looked_at: tuple[int, ...] | None = None
        again = False
        while True:
            found = _trace(path)
            if found is not None and found != looked_at:
                try:
                    await self._take_up(path, again=again)
                    looked_at, again = found, False
                except InputError as error:
                    said = {"file": str(path), "error": str(error), "remedy": error.remedy}
                    log.warning("bundle.refused", extra=said)
                    looked_at = found
                except StoreError as error:
                    # In force, and on no disk: installed again until there is room for it.
                    log.warning("bundle.unwritten", extra={"error": str(error), "remedy": error.remedy})
                    again = True
            await asyncio.sleep(_BUNDLE_LOOK_S)

    async def _take_up(self, path: Path, *, again: bool) -> None:
        signed = read_part_file(path)
        if signed == self.part.shared.signed_bundle:
            return  # it was judged at the start
        bundle = prove_bundle(signed, path, root=self.part.shared.root, now_ms=self.world.clock.now_ms())
        held = self.core.bundle.version
        if bundle == self.core.bundle and not again:
            return
        if bundle.version <= held and not again:
            msg = f"version {bundle.version} lies in {path}, and version {held} is in force"
            raise InputError(msg, remedy="propose it anew, on top of what is in force")
        Community.compile(bundle)
        install = partial(self.core.install, bundle)
        await self.service.install_bundle(version=bundle.version, signed=signed, install=install)
        log.info("bundle.installed", extra={"version": bundle.version})
        try:
            # Whoever comes in with this version has had a password since it was enrolled.
            self.part.links.read_anew()
        except InputError as error:
            # No reason to hold a revocation back.
            log.warning("links.unread", extra={"error": str(error), "remedy": error.remedy})
        self.on_bundle(bundle.version)


def _trace(path: Path) -> tuple[int, ...] | None:
    """Return what changes with a file's content; None while there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _start_router(part: BrokerPart, store: Store, world: World) -> tuple[Router, RouterCore]:
    """Start the router by the newest bundle of file and database.

    A new one of the file is installed as one that comes while the router runs is: with its record, and with whatever is
    queued to or from an agency that it revokes cancelled, all in one transaction and before anybody is served.
    """
    now_ms = world.clock.now_ms()
    held = store.holdings.bundles()
    version, signed = held[-1] if held else (0, b"")
    given = part.shared
    is_new = given.bundle.version > version
    newest = given.bundle
    if not is_new:
        newest = prove_bundle(signed, part.folder / BROKER_DATABASE, root=given.root, now_ms=now_ms)
    core = RouterCore(identity=Identity(router=ROUTER, signer=part.signer), bundle=newest)
    router = Router(core=core, store=store, limits=QuotaLimits())
    if is_new:
        router.handle([BundleSigned(version=newest.version, signed=given.signed_bundle)], now_ms=now_ms)
    return router, core


def _authenticator(part: BrokerPart, core: RouterCore) -> Callable[[Credentials], str | None]:
    def authenticate(credentials: Credentials) -> str | None:
        agency = core.community.agency(credentials.client_id)
        if agency is None or agency.status != "active":
            return None
        if credentials.certificate_name is not None:
            # The server has found the verified certificate's name equal to the client id.
            return credentials.client_id
        given = (credentials.password or b"").decode(errors="replace")
        return credentials.client_id if part.links.holds(credentials.client_id, given) else None

    return authenticate
