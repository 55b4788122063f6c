"""Where the MQTT server listens and to whom: TLS, certificates that name an agency, and addresses."""

import asyncio
import gc
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.application import Credentials
from broker.limits import ServerLimits
from broker.listen import Address, certificate_name, open_listener, server_tls_context
from broker.server import MqttServer
from schemas.errors import ListenError
from tests.samples.raw_mqtt import SUBACK_GRANTED, A, B, FakeApplication, RawClient, client, connect, publish, subscribe


@pytest.fixture
def application() -> FakeApplication:
    return FakeApplication()


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """A socket that was left open shows in the test that left it."""
    yield
    gc.collect()


def test_only_loopback_is_open_without_client_certificates() -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1"):  # noqa: S104 -- that it is refused is the point
        with pytest.raises(ListenError, match="other machines") as caught:
            open_listener(host, 0, tls=None)
        assert "certificate" in caught.value.remedy
    lax = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    lax.verify_mode = ssl.CERT_OPTIONAL
    with pytest.raises(ListenError):
        open_listener("0.0.0.0", 0, tls=lax)  # noqa: S104
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.verify_mode = ssl.CERT_REQUIRED
    listener, address = open_listener("0.0.0.0", 0, tls=strict)  # noqa: S104
    listener.close()
    assert address.port > 0


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [("broker.example", 0, "IP address"), ("127.0.0.1", 70_000, "port"), ("127.0.0.1", -1, "port")],
)
def test_an_address_that_cannot_be_meant_is_explained(host: str, port: int, words: str) -> None:
    with pytest.raises(ListenError, match=words) as caught:
        open_listener(host, port, tls=None)
    assert caught.value.remedy


def test_a_port_in_use_is_explained() -> None:
    listener, address = open_listener("localhost", 0, tls=None)
    with listener, pytest.raises(ListenError, match=f"port {address.port} .* in use") as caught:
        open_listener("127.0.0.1", address.port, tls=None)
    assert "another port" in caught.value.remedy


class Authority:
    """A certificate authority of one test run."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pem"
        certificate = self._build(self.name, self.key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.file.write_bytes(certificate.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, *names: str, server: bool = False, expired: bool = False) -> tuple[Path, Path]:
        """Write a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        certificate = (
            self._build(subject, key.public_key(), expired=expired)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        stem = "-".join(names) + ("-expired" if expired else "")
        certificate_file, key_file = self.folder / f"{stem}.crt", self.folder / f"{stem}.key"
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate_file, key_file

    def _build(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, expired: bool = False
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)  # noqa: TID251 -- OpenSSL judges certificates by the machine's clock
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + timedelta(days=-1 if expired else 1))
        )

    def client_context(self, *names: str, of: "Authority | None" = None, expired: bool = False) -> ssl.SSLContext:
        """A client's context that trusts this authority, with a certificate of this or another one."""
        context = ssl.create_default_context(cafile=self.file)
        if names:
            context.load_cert_chain(*(of or self).issue(*names, expired=expired))
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "exercise-authority")


@pytest.fixture
def tls(authority: Authority) -> ssl.SSLContext:
    return server_tls_context(*authority.issue("broker", server=True), authority.file)


async def test_a_certificate_alone_logs_its_agency_in(
    application: FakeApplication, authority: Authority, tls: ssl.SSLContext
) -> None:
    async with (
        asyncio.timeout(10),
        MqttServer(application).listening(tls=tls) as address,
        client(address, tls=authority.client_context(A)) as link,
    ):
        link.send(connect(username=None, password=None), subscribe(), publish(payload=bytes(500_000)))
        assert (await link.packet())[1][:2] == b"\x00\x00"
        assert await link.packet() == (0x90, SUBACK_GRANTED)
        assert await link.packet() == (0x40, b"\x00\x01")
        assert link.writer.get_extra_info("ssl_object").version() == "TLSv1.3"
        for payload in (b"x", bytes(900_000)):
            assert application.attachments[A].send(payload)
            assert (await link.packet())[1].endswith(payload)
    assert application.credentials == [Credentials(client_id=A, username=None, password=None, certificate_name=A)]


async def test_an_idle_tls_session_keeps_no_large_read_buffer(
    application: FakeApplication, authority: Authority, tls: ssl.SSLContext
) -> None:
    """Asyncio would keep 256 KiB for each; it is set down by private names, so this tells when they change."""
    server = MqttServer(application)
    async with (
        asyncio.timeout(10),
        server.listening(tls=tls) as address,
        client(address, tls=authority.client_context(A)) as link,
    ):
        link.send(connect(username=None, password=None))
        await link.packet()
        (connection,) = server._connections
        protocol = vars(connection._transport)["_ssl_protocol"]
        assert len(protocol._ssl_buffer) == 32 * 1024
        link.send(publish(payload=bytes(300_000)))
        assert await link.packet() == (0x40, b"\x00\x01")
        assert len(protocol._ssl_buffer) == 32 * 1024


async def test_a_certificate_of_another_agency_is_refused_like_a_wrong_password(
    application: FakeApplication, authority: Authority, tls: ssl.SSLContext
) -> None:
    async with asyncio.timeout(10), MqttServer(application).listening(tls=tls) as address:
        for names in ((B,), (A, B)):
            async with client(address, tls=authority.client_context(*names)) as link:
                link.send(connect(A))
                assert await link.rest() == bytes.fromhex("20 03 00 86 00")
    assert application.credentials == []


async def test_no_certificate_a_foreign_one_or_an_expired_one_gets_no_session(
    application: FakeApplication, authority: Authority, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path, "another-authority")
    contexts = (
        authority.client_context(),
        authority.client_context(A, of=foreign),
        authority.client_context(A, expired=True),
    )

    async def log_in(address: Address, context: ssl.SSLContext) -> None:
        async with client(address, tls=context) as link:
            link.send(connect(A))
            await link.packet()

    async with asyncio.timeout(10), MqttServer(application).listening(tls=tls) as address:
        for context in contexts:
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                await log_in(address, context)
    assert application.credentials == []


async def test_a_handshake_that_is_never_finished_is_cut(application: FakeApplication, tls: ssl.SSLContext) -> None:
    limits = ServerLimits(connect_ms_max=200, sweep_ms=50)
    async with asyncio.timeout(10):
        server = MqttServer(application, limits=limits)
        async with server.listening(tls=tls) as address:
            for begin in (b"", b"\x16\x03\x01", connect()):
                async with client(address) as slow:
                    slow.send(begin)
                    await slow.rest()
        assert server.connections == 0


async def test_a_stop_cuts_handshakes_that_are_under_way(application: FakeApplication, tls: ssl.SSLContext) -> None:
    async with asyncio.timeout(5):
        server = MqttServer(application)
        async with server.listening(tls=tls) as address:
            slow = await RawClient.open(address)
            # The server accepts in this same loop, which then waits for the handshake.
            while not server.connections:  # noqa: ASYNC110 -- the server has no event for a stranger
                await asyncio.sleep(0)
        assert server.connections == 0
        await slow.rest()
        await slow.close()


def test_a_certificate_with_two_names_names_nobody() -> None:
    assert certificate_name({"subject": ((("commonName", A),),)}) == A
    assert certificate_name({"subject": ((("commonName", A),), (("commonName", B),))}) is None
    assert certificate_name({"subject": ((("organizationName", A),),)}) is None
    assert certificate_name(None) is None


def test_tls_files_that_do_not_fit_are_explained(authority: Authority, tmp_path: Path) -> None:
    certificate, _ = authority.issue("broker", server=True)
    _, other_key = authority.issue("other", server=True)
    for key, ca in ((other_key, authority.file), (tmp_path / "absent", authority.file)):
        with pytest.raises(ListenError, match="cannot be used") as caught:
            server_tls_context(certificate, key, ca)
        assert "PEM" in caught.value.remedy
