"""Where the server listens: the socket, the TLS context, and the refusal to stand open to a network without one."""

import errno
import ipaddress
import socket
import ssl
from asyncio import sslproto
from pathlib import Path
from typing import Final, NamedTuple

from schemas.errors import ListenError

# Connections that the kernel holds between two turns of ours. Beyond it a client hears nothing, and tries again after a
# second; so a flood must not fill it at once. Linux caps it at 4,096.
_BACKLOG: Final = 1_024
_TLS_READ_BYTES: Final = 32 * 1024  # two TLS records of the largest size
_PORT_MAX: Final = 65_535


class Address(NamedTuple):
    """Where a server really listens."""

    host: str
    port: int


def server_tls_context(certificate: Path, key: Path, client_ca: Path) -> ssl.SSLContext:
    """Return a TLS 1.3 context that admits only clients with a certificate of the given authority.

    Args:
        certificate: PEM file of the server's certificate, followed by its chain.
        key: PEM file of its private key, without a password.
        client_ca: PEM file of the authority that signs the agencies' certificates; no other is trusted.

    Raises:
        ListenError: If a file cannot be read or does not fit the others.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    # A ticket would let a client come back without showing its certificate again.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    try:
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(client_ca)
    except (OSError, ssl.SSLError) as error:
        msg = f"the TLS files {certificate}, {key} and {client_ca} cannot be used: {error}"
        raise ListenError(msg, remedy="give a PEM certificate, its unencrypted key, and the clients' CA") from error
    return context


def certificate_name(certificate: object) -> str | None:
    """Return the common name in a verified certificate's subject; None unless there is exactly one.

    Args:
        certificate: What ``SSLSocket.getpeercert`` returns.
    """
    if not isinstance(certificate, dict):
        return None
    names = [
        value
        for relative_name in certificate.get("subject", ())
        for attribute, value in relative_name
        if attribute == "commonName"
    ]
    return names[0] if len(names) == 1 else None


def keep_read_buffers_small() -> None:
    """Give TLS links read buffers of 32 KiB, where asyncio's are 256 KiB from the first byte of a handshake on.

    Measured on Python 3.11: an idle TLS session then takes 73 KiB in place of 296, and a flood of handshakes that are
    never finished a third of the memory. There is no public way and none for one link alone, so this sets the size for
    all of the process, and leaves things as they are where a Python has no such name.
    """
    protocol = getattr(sslproto, "SSLProtocol", None)
    if getattr(protocol, "max_size", 0) > _TLS_READ_BYTES:
        setattr(protocol, "max_size", _TLS_READ_BYTES)  # noqa: B010 -- the name is not a public one


def open_listener(host: str, port: int, *, tls: ssl.SSLContext | None) -> tuple[socket.socket, Address]:
    """Open a listening socket.

    Args:
        host: An IP address, or ``localhost``; other names are not resolved, so it is plain what is open.
        port: The port, or 0 for any free one.
        tls: The context that connections will use, or None for plain TCP.

    Returns:
        The socket, not blocking, and the address it has.

    Raises:
        ListenError: If the address is no loopback address and ``tls`` does not require client certificates, or the
            address cannot be listened on.
    """
    numeric = "127.0.0.1" if host == "localhost" else host
    try:
        address = ipaddress.ip_address(numeric)
    except ValueError as error:
        msg = f"{host!r} is not an IP address"
        raise ListenError(msg, remedy="give an IP address of this machine, or localhost") from error
    if not 0 <= port <= _PORT_MAX:
        msg = f"{port} is not a port"
        raise ListenError(msg, remedy="give a port from 1 to 65535, or 0 for any free one")
    if not address.is_loopback and (tls is None or tls.verify_mode is not ssl.CERT_REQUIRED):
        msg = f"will not listen on {numeric}: it can be reached from other machines, and clients need no certificate"
        raise ListenError(msg, remedy="listen on 127.0.0.1, or give a certificate, its key and the clients' CA")
    family = socket.AF_INET6 if isinstance(address, ipaddress.IPv6Address) else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        # Else a restarted server waits a minute for the old one's last connections to be forgotten.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((numeric, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _listen_error(numeric, port, error) from error
    return listener, Address(*listener.getsockname()[:2])


def _listen_error(host: str, port: int, error: OSError) -> ListenError:
    """Say what is wrong with the address, and what to do."""
    match error.errno:
        case errno.EADDRINUSE:
            msg = f"port {port} on {host} is in use"
            remedy = "choose another port, or 0 for any free one, or stop the program that has it"
        case errno.EACCES:
            msg = f"port {port} on {host} needs rights that this user has not"
            remedy = "choose a port above 1023"
        case errno.EADDRNOTAVAIL:
            msg = f"{host} is no address of this machine"
            remedy = "listen on 127.0.0.1, or on an address that this machine has"
        case _:
            msg = f"cannot listen on {host} port {port}: {error.strerror}"
            remedy = "listen on 127.0.0.1 and port 0 to see whether the machine is at fault"
    return ListenError(msg, remedy=remedy)
