"""Mosquitto as the broker of a region: what its files must say, as text made from values.

Whoever runs a general broker between router and nodes gives up what the embedded one enforces by itself; these files
take back as much as Mosquitto can be told (docs/how-to/run-over-mosquitto.md). Nothing here reads or writes a file.
"""

import base64
import hashlib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from broker.limits import ServerLimits
from schemas.errors import UsageError
from schemas.limits import DELIVERY_WINDOW, FRAME_BYTES_MAX
from schemas.topics import down_topic, up_topic

CONFIGURATION_FILE: Final = "mosquitto.conf"
ACCESS_FILE: Final = "access-list"
PASSWORDS_FILE: Final = "passwords"
BROKER_CERTIFICATE_FILE: Final = "broker.crt"
BROKER_CERTIFICATE_KEY_FILE: Final = "broker.pem"
AUTHORITY_FILE: Final = "authority.crt"

# Mosquitto stretches at every login, in its only thread. A link password is 144 random bits, which nobody guesses
# however fast the hash is: the least that mosquitto_passwd writes (101, since 1.6) is as good as more.
_STRETCHED: Final = 101
_ENTRY: Final = re.compile(r"\$7\$[1-9][0-9]{0,8}\$[A-Za-z0-9+/]+=*\$[A-Za-z0-9+/]+=*")
HASH_SALT_BYTES: Final = 12  # what mosquitto_passwd takes, and the length that Mosquitto before 2.1 insists on

VERSIONS: Final = ("2.0", "2.1")
_LIMITS: Final = ServerLimits()
# What a reader's window lets come: a frame for each delivery, and as many again for verdicts, chunks and bundles; the
# bound of a node's own client (transport/mqtt.py). Mosquitto's usual 20 would let a slow disk stop a feed.
_IN_FLIGHT_MAX: Final = 4 * DELIVERY_WINDOW
# Beyond either bound Mosquitto drops without a word, which the ends find out and mend. For one client, so that of the
# router must hold what all agencies send while it is busy.
_QUEUED_MAX: Final = 10_000
_QUEUED_BYTES_MAX: Final = 64 * FRAME_BYTES_MAX
# Eight queues as full as they may be. Beyond it Mosquitto drops messages and cuts links, and the ends mend that too.
_MEMORY_BYTES_MAX: Final = 8 * _QUEUED_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where Mosquitto listens.

    Raises:
        UsageError: If the address is no IP address, or is not of this machine alone and has no TLS.
    """

    address: str
    port: int
    tls: bool

    def __post_init__(self) -> None:
        """Refuse what would stand open to a network."""
        try:
            numeric = ipaddress.ip_address(self.address)
        except ValueError as error:
            msg = f"'{self.address[:80]}' is no IP address"
            raise UsageError(msg, remedy="give an IP address of the broker's machine, such as 192.0.2.7") from error
        if not self.tls and not numeric.is_loopback:
            msg = f"will not let Mosquitto listen on {numeric} without TLS: it can be reached from other machines"
            raise UsageError(msg, remedy="let it speak TLS, or listen on 127.0.0.1")


def password_entry(password: str, salt: bytes) -> str:
    """Return what Mosquitto keeps of a password: ``$7$iterations$salt$hash``, PBKDF2 with SHA-512.

    Args:
        password: In clear.
        salt: ``HASH_SALT_BYTES`` random bytes, new for each entry.
    """
    stretched = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _STRETCHED)
    return f"$7${_STRETCHED}${base64.b64encode(salt).decode()}${base64.b64encode(stretched).decode()}"


def is_password_entry(text: object) -> bool:
    """Tell whether this is such an entry; anything else could bring a second line, and so another user, into a file."""
    return isinstance(text, str) and _ENTRY.fullmatch(text) is not None


def passwords_text(entries: Mapping[str, str]) -> str:
    """Return the password file: a user and its entry in each line."""
    return "".join(f"{user}:{entry}\n" for user, entry in sorted(entries.items()))


def access_text(agencies: Iterable[str], *, router: str) -> str:
    """Return the access list: to each agency its two topics, to the router everybody's, by name.

    There is no wildcard and no pattern in it: a user name that is a wildcard (CVE-2017-7650) finds nothing to match,
    and who is not named has no right at all.
    """
    named = sorted(agencies)
    lines = ["# Made by 'sandiwara render mosquitto'. Who is not named here may neither publish nor hear anything."]
    for agency in named:
        lines += ["", f"user {agency}", f"topic write {up_topic(agency)}", f"topic read {down_topic(agency)}"]
    lines += ["", f"user {router}"]
    for agency in named:
        lines += [f"topic read {up_topic(agency)}", f"topic write {down_topic(agency)}"]
    return "\n".join([*lines, ""])


def configuration_text(listener: Listener, *, folder: str, version: str = VERSIONS[0]) -> str:
    """Return ``mosquitto.conf``.

    Args:
        listener: Where it listens.
        folder: The absolute path of the folder that the other files lie in, when Mosquitto reads them.
        version: One of ``VERSIONS``: what an earlier one does not know is left out, since it would refuse to start.
    """
    return "\n".join([*_GENERAL, "", *_listener_lines(listener, folder, version), ""])


_GENERAL: Final = (
    "# Made by 'sandiwara render mosquitto'; docs/how-to/run-over-mosquitto.md says what to do with it.",
    "",
    "# Nobody without a name, and nobody under another's: the client id is the user name, so that no client can take",
    "# over another's session and what waits in it.",
    "allow_anonymous false",
    "allow_zero_length_clientid false",
    "",
    "# Nothing that outlives a link: the ends keep what matters and send it again. A restored store would bring back",
    "# what was long delivered, and is one more thing to steal.",
    "persistence false",
    "persistent_client_expiration 1h",
    "retain_available false",
    "queue_qos0_messages false",
    "",
    "# Nothing about others: no $SYS.",
    "sys_interval 0",
    "",
    "# Bounds; those of the embedded broker where it has the same.",
    f"max_packet_size {_LIMITS.packet_bytes_max}",
    f"max_keepalive {_LIMITS.keep_alive_s_max}",
    f"max_inflight_messages {_IN_FLIGHT_MAX}",
    f"max_queued_messages {_QUEUED_MAX}",
    f"max_queued_bytes {_QUEUED_BYTES_MAX}",
    f"memory_limit {_MEMORY_BYTES_MAX}",
    "",
    "# A frame goes out at once, not when the kernel finds company for it.",
    "set_tcp_nodelay true",
    "",
    "# Ids and reasons, no payload.",
    "log_dest stderr",
    "log_type error",
    "log_type warning",
    "log_type notice",
    "connection_messages true",
)


def _listener_lines(listener: Listener, folder: str, version: str) -> list[str]:
    lines = [f"acl_file {folder}/{ACCESS_FILE}"]
    if not listener.tls:
        lines.append(f"password_file {folder}/{PASSWORDS_FILE}")
    lines += [
        "",
        f"listener {listener.port} {listener.address}",
        f"max_connections {_LIMITS.connections_max}",
        "max_qos 1",
        "max_topic_alias 0",
        "use_username_as_clientid true",
    ]
    if version != VERSIONS[0]:
        lines.append("accept_protocol_versions 5")
    if listener.tls:
        lines += [
            "# The name in the certificate is the user; a password is neither asked for nor looked at.",
            "tls_version tlsv1.3",
            f"certfile {folder}/{BROKER_CERTIFICATE_FILE}",
            f"keyfile {folder}/{BROKER_CERTIFICATE_KEY_FILE}",
            f"cafile {folder}/{AUTHORITY_FILE}",
            "require_certificate true",
            "use_identity_as_username true",
        ]
    return lines
