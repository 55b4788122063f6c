"""Certificates for the links of a region: one authority, one server, one client certificate for each agency.

They prove who is at the other end of a TLS link and nothing else; no message is signed or sealed by them. Keys are
EC P-256, which every TLS library speaks, and come from the entropy that is handed in.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from schemas.errors import InputError, KeyFileError, UsageError
from sealing.entropy import Entropy

SEED_BYTES: Final = 32
# The order of P-256 (SEC 2, 2.4.2): a private key is a number from 1 to one less.
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_FILE_BYTES_MAX: Final = 64 * 1024
_HOST_CHARS_MAX: Final = 253  # RFC 1035: a name of the domain system


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """From when to when, Unix ms."""

    begin_ms: int
    end_ms: int

    def bounds(self) -> tuple[datetime, datetime]:
        """Return both ends as certificates have them, in whole seconds."""
        begin, end = (datetime.fromtimestamp(at // 1000, UTC) for at in (self.begin_ms, self.end_ms))
        return begin, end


def new_seed(entropy: Entropy) -> bytes:
    """Return 32 bytes that are a private key of P-256."""
    while True:
        seed = entropy.take(SEED_BYTES)
        if 0 < int.from_bytes(seed, "big") < _ORDER:
            return seed


def _private_key(seed: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(seed, "big"), ec.SECP256R1())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    # Unlocked, since a server must be able to start without anybody there; the file gets mode 0600.
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class LinkAuthority:
    """The authority that signs every certificate of one region.

    Args:
        seed: From ``new_seed``; kept in a locked key file.
        validity: Of all certificates.
        entropy: For keys and serial numbers.
    """

    def __init__(self, *, seed: bytes, validity: Validity, entropy: Entropy) -> None:
        self._key = _private_key(seed)
        self._validity = validity
        self._entropy = entropy
        name = _name("Sandiwara link authority")
        builder = self._builder(name, name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self._certificate = builder.add_extension(_usage(signs_certificates=True), critical=True).sign(
            self._key, hashes.SHA256()
        )

    @property
    def certificate(self) -> bytes:
        """The authority's own certificate, PEM: what both ends of a link trust."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def server(self, hosts: Sequence[str]) -> Issued:
        """Issue the broker's certificate for these names and addresses."""
        return self._issue("sandiwara-broker", ExtendedKeyUsageOID.SERVER_AUTH, [_host_name(host) for host in hosts])

    def client(self, agency: str) -> Issued:
        """Issue an agency's certificate; its common name is the agency's id."""
        return self._issue(agency, ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def _issue(self, name: str, purpose: x509.ObjectIdentifier, hosts: list[x509.GeneralName]) -> Issued:
        key = _private_key(new_seed(self._entropy))
        builder = self._builder(_name(name), self._certificate.subject, key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        signed = builder.add_extension(authority_key, critical=False).sign(self._key, hashes.SHA256())
        return Issued(certificate=signed.public_bytes(serialization.Encoding.PEM), key=_key_pem(key))

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        begin, end = self._validity.bounds()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            # RFC 5280, 4.1.2.2: positive, and at most 20 bytes long.
            .serial_number(int.from_bytes(self._entropy.take(16), "big") | 1)
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def check_host(host: str) -> str:
    """Return a host name or address as a certificate can hold it.

    Raises:
        UsageError: If it is neither.
    """
    try:
        ipaddress.ip_address(host)
        # A scope ("fe80::1%eth0") means something on one machine only, and any text may stand in it.
        plain = "%" not in host
    except ValueError:
        labels = host.rstrip(".").split(".")
        plain = all(part and part.isascii() and part.replace("-", "").isalnum() and part[0] != "-" for part in labels)
    if not plain or len(host) > _HOST_CHARS_MAX:
        msg = f"{host[:80]!a} is no host name and no IP address"
        raise UsageError(msg, remedy="give a name such as broker.example.org, or an address")
    return host


def check_certificate(path: Path, authority: Path, *, name: str, at_ms: int) -> None:
    """Check that a certificate is an agency's, of this region, and holds now: a broker would only hang up.

    Raises:
        KeyFileError: If it is another's.
        InputError: If it cannot be read, or does not hold now.
    """
    certificate, issuer = (_read_certificate(file) for file in (path, authority))
    names = [attribute.value for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [name]:
        msg = f"{path} is the certificate of {', '.join(map(str, names)) or 'nobody'}, not of {name}"
        raise KeyFileError(msg, remedy="files were swapped; put the right one back")
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError) as error:
        msg = f"{path} was not issued by the authority in {authority}"
        raise KeyFileError(msg, remedy="files of two regions were mixed; put the right ones back") from error
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        msg = f"{path} holds from {certificate.not_valid_before_utc:%F} to {certificate.not_valid_after_utc:%F}"
        raise InputError(msg, remedy="set the clock right, or make the region anew by 'sandiwara init'")


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        with path.open("rb") as file:
            return x509.load_pem_x509_certificate(file.read(_FILE_BYTES_MAX))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no PEM certificate"
        msg = f"{path} cannot be read: {reason}"
        raise InputError(msg, remedy="restore it from the folder that 'sandiwara init' made") from error
