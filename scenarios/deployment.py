"""The folders of a region on separate machines: what ``sandiwara init`` writes, and where each thing lies in it.

    DIR/README.txt          what goes where
    DIR/broker/             for the broker's machine
    DIR/nodes/AGENCY/       for that agency's machine, and no other
    DIR/authorities/        the keys that sign the next bundle and the next certificates; kept off line
    DIR/passwords/          what locks the key files, unless one password was given; handed over by another way

Each part holds all that it needs, so it can be copied alone. Secrets are in key files (argon2id, one salt each), or of
mode 0600 where a program must start without anybody there.
"""

import json
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from scenarios.certificates import Issued, LinkAuthority, Validity, new_seed
from scenarios.enrolment import ROUTER, Community
from scenarios.link_passwords import links_document, new_link_password
from schemas.bundle import TrustRoot
from schemas.codec import pack
from schemas.errors import InputError, StoreError
from sealing.entropy import Entropy
from sealing.keyfile import MODERATE, KeyRing, write_key_file, write_private

BROKER: Final = "broker"
NODES: Final = "nodes"
AUTHORITIES: Final = "authorities"
PASSWORDS: Final = "passwords"
LINK_AUTHORITY: Final = "link-authority"

BUNDLE_FILE: Final = "bundle"
ROOT_FILE: Final = "trust-root"
ROUTER_KEY_FILE: Final = "router.key"
AGENCY_KEY_FILE: Final = "agency.key"
SETTINGS_FILE: Final = "settings.json"
LINKS_FILE: Final = "links.json"
LINK_FILE: Final = "link.json"
CERTIFICATE_FILE: Final = "link.crt"
CERTIFICATE_KEY_FILE: Final = "link.pem"
ROUTER_CERTIFICATE_FILE: Final = "router-link.crt"
ROUTER_CERTIFICATE_KEY_FILE: Final = "router-link.pem"
LINK_AUTHORITY_FILE: Final = "authority.crt"
OUTGOING: Final = "outgoing"
CARD_FILE: Final = "enrolment.json"

PLAIN_PORT: Final = 1883  # IANA: mqtt
TLS_PORT: Final = 8883  # IANA: secure-mqtt
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_STRETCHED_AT_ONCE: Final = 2  # argon2id takes 256 MiB each; more at a time and a small machine begins to swap
_KEY_PASSWORD_BYTES: Final = 16

_README: Final = """\
EXERCISE  {title}
The folders of a region on separate machines, made by "sandiwara init". {count} agencies.

  broker/        Copy to the broker's machine, and start there:  sandiwara broker FOLDER
  nodes/AGENCY/  Copy to that agency's machine and to no other:  sandiwara node FOLDER AGENCY
                 FOLDER is this folder, or the copied one itself.
  authorities/   The keys that sign bundles and certificates. Neither broker nor nodes need them:
                 move them to a medium that lies in a safe.
  passwords/     {passwords}

Nodes reach the broker at {address} ({way}).
Off loopback a link is TLS 1.3 with certificates on both sides. The broker's certificate names:
  {hosts}
The bundle and the certificates hold from {issued} to {expires}.

Nothing here is to be shared between agencies: who has a node's folder and its password is that agency.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """How nodes reach the broker; the broker listens accordingly."""

    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Locks:
    """Passwords for key files: one for all, or where none is given one made for each."""

    given: bytes | None = field(repr=False)
    entropy: Entropy
    made: dict[str, bytes] = field(default_factory=dict, repr=False)

    def password_of(self, name: str) -> bytes:
        """Return the password that locks one name's key file."""
        if self.given is not None:
            return self.given
        if name not in self.made:
            self.made[name] = self.entropy.take(_KEY_PASSWORD_BYTES).hex().encode()
        return self.made[name]


def link_settings(*, hosts: Sequence[str], port: int | None, tls: bool) -> LinkSettings:
    """Return the settings that follow from what was asked: off loopback always TLS."""
    host = hosts[0] if hosts else "127.0.0.1"
    encrypted = tls or not is_loopback(host)
    return LinkSettings(host=host, port=port or (TLS_PORT if encrypted else PLAIN_PORT), tls=encrypted)


def is_loopback(host: str) -> bool:
    """Tell whether a name or address is this machine's own."""
    return host in _LOOPBACK or (host.startswith("127.") and host.replace(".", "").isdigit())


def write_deployment(
    folder: Path,
    community: Community,
    *,
    title: str,
    settings: LinkSettings,
    hosts: Sequence[str],
    locks: Locks,
    entropy: Entropy,
    step: Callable[[int, int], None],
) -> None:
    """Write all folders of a region, whole or not at all.

    Args:
        folder: To be made; it must not exist, or be empty.
        community: From ``enrol``.
        title: For the README.
        settings: How nodes reach the broker.
        hosts: Names and addresses in the broker's certificate, beside those of loopback.
        locks: The passwords of the key files.
        entropy: Where link passwords and certificates' keys come from.
        step: Told how many key files of how many are locked.

    Raises:
        InputError: If the folder holds something, or cannot be made, or an agency has the router's name.
        KeyFileError: If a key file cannot be written.
        StoreError: If any other cannot; nothing is left behind.
    """
    _refuse_occupied(folder)
    _refuse_namesake(community)
    with _interrupts_held() as let_in:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            being_made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        except OSError as error:
            msg = f"{folder} cannot be made: {error.strerror}"
            raise InputError(msg, remedy="give a folder in a place that is yours") from error
        try:
            _Writing(being_made, community, settings, locks, entropy, let_in).write(title=title, hosts=hosts, step=step)
            being_made.replace(folder)
        except OSError as error:
            msg = f"{folder} cannot be written: {error.strerror}"
            raise StoreError(msg, remedy="check that the disk has room; nothing was left behind") from error
        finally:
            shutil.rmtree(being_made, ignore_errors=True)


@contextmanager
def _interrupts_held() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back for the block; gives what takes one that has come, where it can do no harm.

    One that falls just behind the making of a folder would leave it; one that falls into the starting of a pool's
    thread leaves that thread unknown to its pool, and it would write into a folder that has been removed; and the
    library of the certificates can lose one altogether.
    """
    told: list[int] = []

    def let_in() -> None:
        if told:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    # Only the main thread may set a handler, and what ignores Ctrl-C goes on ignoring it.
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield let_in
        return
    signal.signal(signal.SIGINT, lambda number, _frame: told.append(number))
    try:
        yield let_in
    finally:
        signal.signal(signal.SIGINT, before)


def _refuse_occupied(folder: Path) -> None:
    try:
        occupied = folder.exists() and (not folder.is_dir() or next(folder.iterdir(), None) is not None)
    except OSError as error:
        msg = f"{folder} cannot be looked into: {error.strerror}"
        raise InputError(msg, remedy="give a folder in a place that is yours") from error
    if occupied:
        msg = f"{folder} is there already, and is not empty"
        raise InputError(msg, remedy="give a new folder; keys that are in use are never overwritten")


def _refuse_namesake(community: Community) -> None:
    # At a general broker the router is one client among the others, with rights to every topic: an agency of its name
    # would log in as the router. The password of its key file would have the router's name too.
    if ROUTER in community.rings:
        msg = f"an agency is called {ROUTER}, which is the router's own name"
        raise InputError(msg, remedy="give that participant of the pack another id")


class _Writing:
    """Writes the parts into a folder that nobody uses yet; ``let_in`` is called where it may be stopped."""

    def __init__(  # noqa: PLR0917 - private, and its only caller names them alike
        self,
        folder: Path,
        community: Community,
        settings: LinkSettings,
        locks: Locks,
        entropy: Entropy,
        let_in: Callable[[], None],
    ) -> None:
        self._folder = folder
        self._community = community
        self._settings = settings
        self._locks = locks
        self._entropy = entropy
        self._let_in = let_in
        self._rings: list[tuple[Path, KeyRing]] = []

    def write(self, *, title: str, hosts: Sequence[str], step: Callable[[int, int], None]) -> None:
        bundle = self._community.bundle
        seed = new_seed(self._entropy)
        validity = Validity(begin_ms=bundle.issued, end_ms=bundle.expires)
        authority = LinkAuthority(seed=seed, validity=validity, entropy=self._entropy)
        named = tuple(dict.fromkeys((*hosts, *_LOOPBACK)))
        self._write_broker(authority, authority.server(named))
        self._write_router_link(authority)
        self._write_nodes(authority)
        self._write_authorities(seed, authority)
        self._lock_key_files(step)
        for name, password in sorted(self._locks.made.items()):
            write_private(self._folder / PASSWORDS / name, password + b"\n")
        self._write_readme(title, named)

    def _write_broker(self, authority: LinkAuthority, certificate: Issued) -> None:
        folder = self._folder / BROKER
        _write_public(folder, self._community.signed_bundle, self._community.root)
        self._passwords = {name: new_link_password(self._entropy) for name in self._community.rings}
        router = (ROUTER, new_link_password(self._entropy))
        document = links_document(self._passwords, router=router, entropy=self._entropy)
        self._passwords |= [router]
        write_json(folder / LINKS_FILE, document)
        write_json(folder / SETTINGS_FILE, _reach(self._settings))
        _write_certificate(folder, certificate, authority.certificate)
        self._rings.append((folder / ROUTER_KEY_FILE, _ring(ROUTER, self._community.router.secret[:32])))

    def _write_router_link(self, authority: LinkAuthority) -> None:
        """Write how the router proves itself where it is a client: in a node's shape, the certificate beside it."""
        folder = self._folder / BROKER
        write_json(folder / LINK_FILE, {**_reach(self._settings), "password": self._passwords[ROUTER]})
        issued = authority.client(ROUTER)
        write_private(folder / ROUTER_CERTIFICATE_FILE, issued.certificate)
        write_private(folder / ROUTER_CERTIFICATE_KEY_FILE, issued.key)

    def _write_nodes(self, authority: LinkAuthority) -> None:
        for agency, ring in sorted(self._community.rings.items()):
            folder = self._folder / NODES / agency
            write_node_files(
                folder, signed_bundle=self._community.signed_bundle, root=self._community.root,
                settings=self._settings, password=self._passwords[agency], certificate=authority.client(agency),
                authority=authority.certificate,
            )  # fmt: skip
            self._rings.append((folder / AGENCY_KEY_FILE, ring))
            self._let_in()

    def _write_authorities(self, seed: bytes, authority: LinkAuthority) -> None:
        folder = self._folder / AUTHORITIES
        for name, pair in sorted(self._community.authorities.items()):
            self._rings.append((folder / f"{name}.key", _ring(name, pair.secret[:32])))
        self._rings.append((folder / f"{LINK_AUTHORITY}.key", _ring(LINK_AUTHORITY, seed)))
        write_private(folder / LINK_AUTHORITY_FILE, authority.certificate)

    def _lock_key_files(self, step: Callable[[int, int], None]) -> None:
        """Stretch each file's password with its own salt; a second of one core each, so two are done at once."""
        total = len(self._rings)
        passwords = {ring.name: self._locks.password_of(ring.name) for _, ring in self._rings}

        def lock(path: Path, ring: KeyRing) -> None:
            write_key_file(path, ring, password=passwords[ring.name], cost=MODERATE, entropy=self._entropy)

        with ThreadPoolExecutor(max_workers=_STRETCHED_AT_ONCE, thread_name_prefix="lock") as pool:
            locking = [pool.submit(lock, path, ring) for path, ring in self._rings]
            try:
                for number, future in enumerate(locking, start=1):
                    future.result()
                    self._let_in()
                    step(number, total)
            finally:
                # After an error or a Ctrl-C the files that wait are not begun.
                for future in locking:
                    future.cancel()

    def _write_readme(self, title: str, hosts: Sequence[str]) -> None:
        made = "One for each name, each in its own file. Hand them over by another way than the folders."
        given = "Not here: all key files are locked with the password that was given."
        text = _README.format(
            title=title,
            count=len(self._community.rings),
            passwords=made if self._locks.made else given,
            address=f"{self._settings.host}:{self._settings.port}",
            way="TLS with client certificates" if self._settings.tls else "on this machine, by link password",
            hosts=", ".join(hosts),
            issued=_day(self._community.bundle.issued),
            expires=_day(self._community.bundle.expires),
        )
        write_private(self._folder / "README.txt", text.encode())


def write_node_files(
    folder: Path,
    *,
    signed_bundle: bytes,
    root: TrustRoot,
    settings: LinkSettings,
    password: str,
    certificate: Issued,
    authority: bytes,
) -> None:
    """Write a node's part into a folder that is not there yet: all but its key file.

    Args:
        folder: To be made.
        signed_bundle: The bundle that it starts from.
        root: The authorities that it trusts.
        settings: How it reaches the broker.
        password: Its link password.
        certificate: Proves its end of a TLS link.
        authority: The link authority's own certificate, PEM.

    Raises:
        OSError: If something cannot be written.
    """
    _write_public(folder, signed_bundle, root)
    (folder / OUTGOING).mkdir(mode=0o700)
    write_json(folder / LINK_FILE, {**_reach(settings), "password": password})
    _write_certificate(folder, certificate, authority)


def _write_public(folder: Path, signed_bundle: bytes, root: TrustRoot) -> None:
    folder.mkdir(parents=True, mode=0o700)
    write_private(folder / BUNDLE_FILE, signed_bundle)
    write_private(folder / ROOT_FILE, pack(root))


def _write_certificate(folder: Path, certificate: Issued, authority: bytes) -> None:
    write_private(folder / CERTIFICATE_FILE, certificate.certificate)
    write_private(folder / CERTIFICATE_KEY_FILE, certificate.key)
    write_private(folder / LINK_AUTHORITY_FILE, authority)


def _reach(settings: LinkSettings) -> dict[str, Any]:
    return {"format": 1, "host": settings.host, "port": settings.port, "tls": settings.tls}


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d}"


def _ring(name: str, seed: bytes) -> KeyRing:
    return KeyRing(name, seed, ())


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a small settings file of mode 0600, whole or not at all."""
    write_private(path, (json.dumps(document, indent=2, sort_keys=True) + "\n").encode())
