"""One part of a deployed region: read its folder, check that all of it belongs together, and run it.

Everything that can be wrong with a folder (a part missing, files swapped, a wrong password, a bundle of another
region) is found here, before any link is opened, and says which file.
"""

import asyncio
import hmac
import logging
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from agencies.core import NodeCore
from agencies.incoming import Arrival
from agencies.keyring import Keys
from agencies.node import Node, NodeTimings
from agencies.notices import Notice
from agencies.store import NodeStore
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
from scenarios.certificates import check_certificate, check_host
from scenarios.deployment import (
    AGENCY_KEY_FILE,
    BROKER,
    BUNDLE_FILE,
    CERTIFICATE_FILE,
    CERTIFICATE_KEY_FILE,
    LINK_AUTHORITY_FILE,
    LINK_FILE,
    LINKS_FILE,
    NODES,
    ROOT_FILE,
    ROUTER_KEY_FILE,
    SETTINGS_FILE,
    LinkSettings,
    is_loopback,
    link_password_hash,
)
from scenarios.enrolment import ROUTER
from scenarios.part_files import RESTORE, read_part_file, read_part_json
from scenarios.problems import did_you_mean
from scenarios.region import World
from schemas.bundle import Bundle, TrustRoot
from schemas.codec import read_shape, unpack
from schemas.errors import InputError, KeyFileError, RemoteError, StoreError, UsageError
from schemas.limits import BUNDLE_BYTES_MAX
from schemas.topics import is_agency_id
from sealing.keyfile import MODERATE, KeyRing, read_key_file, write_key_file
from sealing.keys import SignPair, sign_pair_from_seed
from sealing.statements import read_bundle
from transport.mqtt import MqttAddress, client_tls_context, mqtt_connect

log = logging.getLogger(__name__)

BROKER_DATABASE: Final = "broker.sqlite"
NODE_DATABASE: Final = "node.sqlite"
_PORT_MAX: Final = 65_535
_BUNDLE_LOOK_S: Final = 2.0  # a revocation is in force within seconds, and a look is one call of the system


def broker_folder(folder: Path) -> Path:
    """Return the broker's part of a region's folder, or the folder itself if it is that part.

    Raises:
        InputError: If it is neither.
    """
    for found in (folder / BROKER, folder):
        if (found / ROUTER_KEY_FILE).exists():
            return found
    raise _no_part(folder, "the broker's part")


def node_folder(folder: Path, agency: str) -> Path:
    """Return an agency's part of a region's folder, or the folder itself if it is a node's part.

    Raises:
        InputError: If it is neither; with the agencies that were probably meant.
    """
    if (folder / AGENCY_KEY_FILE).exists():
        return folder
    if is_agency_id(agency) and (folder / NODES / agency / AGENCY_KEY_FILE).exists():
        return folder / NODES / agency
    try:
        known = sorted(path.parent.name for path in folder.glob(f"{NODES}/*/{AGENCY_KEY_FILE}"))
    except OSError:
        known = []
    if not known:
        raise _no_part(folder, "any node")
    msg = f"{folder} holds no node of '{agency[:40]}'"
    raise InputError(msg, remedy=did_you_mean(agency, known) or f"the nodes are in {folder / NODES}")


def _no_part(folder: Path, what: str) -> InputError:
    try:
        there = folder.is_dir()
    except OSError:
        there = False
    msg = f"{folder} does not hold {what} of a region" if there else f"there is no folder {folder}"
    return InputError(msg, remedy="give the folder that 'sandiwara init' made, or a part that was copied from it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What every part holds: the bundle, proved, and the authorities it is judged by."""

    bundle: Bundle
    signed_bundle: bytes
    root: TrustRoot


def read_shared(folder: Path, *, now_ms: int) -> Shared:
    """Read and prove the bundle of a part.

    Raises:
        InputError: If a file is missing or damaged, or the bundle does not hold now.
    """
    root = read_root(folder)
    signed = read_part_file(folder / BUNDLE_FILE)
    return Shared(
        bundle=prove_bundle(signed, folder / BUNDLE_FILE, root=root, now_ms=now_ms), signed_bundle=signed, root=root
    )


def read_root(folder: Path) -> TrustRoot:
    """Read the authorities that a part trusts.

    Raises:
        InputError: If the file is missing or damaged.
    """
    try:
        return read_shape(TrustRoot, unpack(read_part_file(folder / ROOT_FILE), bytes_max=BUNDLE_BYTES_MAX))
    except RemoteError as error:
        msg = f"{folder / ROOT_FILE} is damaged: {error}"
        raise InputError(msg, remedy=RESTORE) from error


def prove_bundle(signed: bytes, path: Path, *, root: TrustRoot, now_ms: int) -> Bundle:
    """Prove a bundle that a file holds.

    Raises:
        InputError: If it is damaged, not signed by enough authorities, or does not hold now.
    """
    try:
        return read_bundle(signed, root=root, now_ms=now_ms)
    except RemoteError as error:
        msg = f"the bundle in {path} is refused: {error}"
        raise InputError(msg, remedy=f"{RESTORE}; if it has expired, make the region anew") from error


def read_settings(path: Path) -> LinkSettings:
    """Read how nodes reach the broker.

    Raises:
        InputError: If the file is missing or damaged.
    """
    document = read_part_json(path)
    host, port, tls = document.get("host"), document.get("port"), document.get("tls")
    if not isinstance(host, str) or type(port) is not int or not isinstance(tls, bool):
        msg = f"{path} is damaged: host, port or tls is missing"
        raise InputError(msg, remedy=RESTORE)
    try:
        check_host(host)
    except UsageError as error:
        msg = f"{path} is damaged: {error}"
        raise InputError(msg, remedy=RESTORE) from error
    if not 1 <= port <= _PORT_MAX:
        msg = f"{path} is damaged: {port} is no port"
        raise InputError(msg, remedy=RESTORE)
    return LinkSettings(host=host, port=port, tls=tls)


def read_link_password(path: Path) -> str:
    """Read the password by which a node, or the router where it is a client, logs in on loopback.

    Raises:
        InputError: If the file is missing or damaged.
    """
    password = read_part_json(path).get("password")
    if not isinstance(password, str):
        msg = f"{path} is damaged: it holds no password"
        raise InputError(msg, remedy=RESTORE)
    return password


# The broker's part.


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPart:
    """The broker's part, checked."""

    folder: Path
    shared: Shared
    settings: LinkSettings
    signer: SignPair
    salt: str
    hashes: dict[str, str] = field(repr=False)


def read_broker_part(folder: Path, *, password: bytes, now_ms: int) -> BrokerPart:
    """Read the broker's part.

    Raises:
        InputError: If a file is missing or damaged.
        KeyFileError: If the key file does not open, or is of another region.
    """
    shared = read_shared(folder, now_ms=now_ms)
    settings = read_settings(folder / SETTINGS_FILE)
    links = read_part_json(folder / LINKS_FILE)
    salt, hashes = links.get("salt"), links.get("hashes")
    if not isinstance(salt, str) or not isinstance(hashes, dict):
        msg = f"{folder / LINKS_FILE} is damaged: it holds no link passwords"
        raise InputError(msg, remedy=RESTORE)
    ring = read_key_file(folder / ROUTER_KEY_FILE, name=ROUTER, password=password)
    signer = sign_pair_from_seed(ring.sign_seed)
    if signer.public not in [item.key.key for item in shared.bundle.routers if item.router == ROUTER]:
        msg = f"{folder / ROUTER_KEY_FILE} is the key of another region's router"
        raise KeyFileError(msg, remedy="files of two regions were mixed; put the right ones back")
    known = {name: text for name, text in hashes.items() if isinstance(text, str)}
    return BrokerPart(folder=folder, shared=shared, settings=settings, signer=signer, salt=salt, hashes=known)


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
        expected = part.hashes.get(credentials.client_id, "")
        computed = link_password_hash(credentials.client_id, given, part.salt)
        return credentials.client_id if hmac.compare_digest(expected.encode(), computed.encode()) else None

    return authenticate


# A node's part.


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePart:
    """A node's part, checked."""

    folder: Path
    agency: str
    shared: Shared
    settings: LinkSettings
    link_password: str = field(repr=False)
    ring: KeyRing = field(repr=False)
    password: bytes = field(repr=False)


def read_node_part(folder: Path, agency: str, *, password: bytes, now_ms: int) -> NodePart:
    """Read a node's part.

    Raises:
        InputError: If a file is missing or damaged, or the agency is unknown.
        KeyFileError: If the key file does not open, or is another's.
    """
    shared = read_shared(folder, now_ms=now_ms)
    known = {item.agency: item for item in shared.bundle.agencies}
    if agency not in known:
        msg = f"the bundle in {folder} knows no agency '{agency[:40]}'"
        raise InputError(msg, remedy=did_you_mean(agency, known))
    settings = read_settings(folder / LINK_FILE)
    link_password = read_link_password(folder / LINK_FILE)
    ring = read_key_file(folder / AGENCY_KEY_FILE, name=agency, password=password)
    if sign_pair_from_seed(ring.sign_seed).public not in [key.key for key in known[agency].keys]:
        msg = f"{folder / AGENCY_KEY_FILE} holds other keys of {agency} than the bundle names"
        raise KeyFileError(msg, remedy="files of two regions were mixed; put the right ones back")
    check_certificate(folder / CERTIFICATE_FILE, folder / LINK_AUTHORITY_FILE, name=agency, at_ms=now_ms)
    return NodePart(
        folder=folder,
        agency=agency,
        shared=shared,
        settings=settings,
        link_password=link_password,
        ring=ring,
        password=password,
    )


def open_node_store(part: NodePart) -> NodeStore:
    """Open a node's database.

    Raises:
        StoreError: If it is in use, damaged, or another agency's.
    """
    return NodeStore.open(part.folder / NODE_DATABASE, agency=part.agency)


def make_node(
    part: NodePart,
    store: NodeStore,
    *,
    disk: Executor,
    world: World,
    settings: LinkSettings,
    on_arrival: Callable[[Arrival], None],
    on_notice: Callable[[Notice], None],
    timings: NodeTimings | None = None,
) -> Node:
    """Make a node of its part; it judges by the newest bundle that it ever proved.

    Raises:
        InputError: If the bundle in its database is refused.
        LinkError: If the certificate cannot be used.
    """
    bundle = part.shared.bundle
    kept = store.signed_bundle()
    if kept is not None:
        later = prove_bundle(kept, part.folder / NODE_DATABASE, root=part.shared.root, now_ms=world.clock.now_ms())
        bundle = max(bundle, later, key=lambda item: item.version)

    def keep_keys(ring: KeyRing) -> None:
        path = part.folder / AGENCY_KEY_FILE
        write_key_file(path, ring, password=part.password, cost=MODERATE, entropy=world.entropy)

    return Node(
        core=NodeCore(keys=Keys(part.ring), bundle=bundle),
        root=part.shared.root,
        store=store,
        disk=disk,
        connect=mqtt_connect(_address(part, settings)),
        clock=world.clock,
        machine_clock=world.machine_clock,
        entropy=world.entropy,
        on_arrival=on_arrival,
        on_notice=on_notice,
        keep_keys=keep_keys,
        timings=timings,
    )


def _address(part: NodePart, settings: LinkSettings) -> MqttAddress:
    """Return the broker's address with a certificate, or on loopback with the link password; never both."""
    if not settings.tls and is_loopback(settings.host):
        return MqttAddress(host=settings.host, port=settings.port, agency=part.agency, password=part.link_password)
    context = client_tls_context(
        certificate=str(part.folder / CERTIFICATE_FILE),
        key=str(part.folder / CERTIFICATE_KEY_FILE),
        authority=str(part.folder / LINK_AUTHORITY_FILE),
    )
    return MqttAddress(host=settings.host, port=settings.port, agency=part.agency, tls=context)
