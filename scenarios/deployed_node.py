"""A node's part of a deployed region: read it, check that it belongs together, and make the node."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from agencies.core import NodeCore
from agencies.incoming import Arrival
from agencies.keyring import Keys
from agencies.node import Node, NodeTimings
from agencies.notices import Notice
from agencies.store import NodeStore
from scenarios.certificates import check_certificate
from scenarios.deployed import NODE_DATABASE, Shared, prove_bundle, read_link_password, read_settings, read_shared
from scenarios.deployment import (
    AGENCY_KEY_FILE,
    CARD_FILE,
    CERTIFICATE_FILE,
    CERTIFICATE_KEY_FILE,
    LINK_AUTHORITY_FILE,
    LINK_FILE,
    LinkSettings,
    is_loopback,
)
from scenarios.problems import did_you_mean
from scenarios.region import World
from schemas.errors import InputError, KeyFileError
from sealing.keyfile import MODERATE, KeyRing, read_key_file, write_key_file
from sealing.keys import sign_pair_from_seed
from transport.mqtt import MqttAddress, client_tls_context, mqtt_connect


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
        waits = "it waits to be taken in: put in the file 'bundle' of the broker's part, once that names it"
        raise InputError(msg, remedy=waits if (folder / CARD_FILE).exists() else did_you_mean(agency, known))
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
