"""Certificates of a region's links: who they name, who signed them, and what is noticed before a link is tried."""

import ssl
from pathlib import Path
from typing import Final

import pytest

from broker.listen import server_tls_context
from scenarios.certificates import Issued, LinkAuthority, Validity, check_certificate, check_host, new_seed
from schemas.errors import InputError, KeyFileError, UsageError
from sealing.entropy import SystemEntropy
from transport.mqtt import client_tls_context

DAY_MS: Final = 24 * 3_600_000
NOW_MS: Final = 1_800_000_000_000
VALIDITY: Final = Validity(begin_ms=NOW_MS, end_ms=NOW_MS + DAY_MS)


def authority(validity: Validity = VALIDITY) -> LinkAuthority:
    entropy = SystemEntropy()
    return LinkAuthority(seed=new_seed(entropy), validity=validity, entropy=entropy)


def written(folder: Path, issued: Issued, signer: LinkAuthority) -> tuple[Path, Path, Path]:
    folder.mkdir(parents=True)
    paths = (folder / "link.crt", folder / "link.pem", folder / "authority.crt")
    for path, content in zip(paths, (issued.certificate, issued.key, signer.certificate), strict=True):
        path.write_bytes(content)
    return paths


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> str:
    """Make a TLS handshake in memory; returns the common name that the server saw."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_side=False, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    subject = dict(part for parts in (ends[1].getpeercert() or {}).get("subject", ()) for part in parts)  # type: ignore[misc] # the stubs say less than the documentation
    return str(subject["commonName"])


def test_both_ends_of_a_link_prove_themselves(tmp_path: Path) -> None:
    """In the time in which the test runs, so that OpenSSL finds the certificates in force."""
    signer = authority(Validity(begin_ms=0, end_ms=4_000_000_000_000))
    hub = written(tmp_path / "hub", signer.server(["broker.example.org", "192.0.2.7"]), signer)
    node = written(tmp_path / "node", signer.client("mys-mar"), signer)
    server = server_tls_context(*hub)
    client = client_tls_context(certificate=str(node[0]), key=str(node[1]), authority=str(node[2]))

    assert "mys-mar" == shake_hands(server, client, "broker.example.org")
    assert "mys-mar" == shake_hands(server, client, "192.0.2.7")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server, client, "elsewhere.example.org")


def test_an_agency_cannot_pass_for_the_broker(tmp_path: Path) -> None:
    """Its certificate is for clients, whatever name it bears."""
    signer = authority(Validity(begin_ms=0, end_ms=4_000_000_000_000))
    node = written(tmp_path / "node", signer.client("mys-mar"), signer)
    server = server_tls_context(*node)
    client = client_tls_context(certificate=str(node[0]), key=str(node[1]), authority=str(node[2]))

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server, client, "mys-mar")


def test_the_right_certificate_passes(tmp_path: Path) -> None:
    signer = authority()
    certificate, _, issuer = written(tmp_path / "a", signer.client("mys-mar"), signer)

    check_certificate(certificate, issuer, name="mys-mar", at_ms=NOW_MS + 1_000)


def test_another_agencys_certificate_is_noticed(tmp_path: Path) -> None:
    signer = authority()
    certificate, _, issuer = written(tmp_path / "a", signer.client("idn-mar"), signer)

    with pytest.raises(KeyFileError, match="of idn-mar, not of mys-mar"):
        check_certificate(certificate, issuer, name="mys-mar", at_ms=NOW_MS)


def test_a_certificate_of_another_region_is_noticed(tmp_path: Path) -> None:
    certificate, _, _ = written(tmp_path / "a", authority().client("mys-mar"), authority())

    with pytest.raises(KeyFileError, match="not issued by"):
        check_certificate(certificate, tmp_path / "a" / "authority.crt", name="mys-mar", at_ms=NOW_MS)


@pytest.mark.parametrize("at_ms", [NOW_MS - 1_000, NOW_MS + DAY_MS + 1_000])
def test_a_certificate_out_of_its_time_is_noticed(at_ms: int, tmp_path: Path) -> None:
    signer = authority()
    certificate, _, issuer = written(tmp_path / "a", signer.client("mys-mar"), signer)

    with pytest.raises(InputError, match="holds from"):
        check_certificate(certificate, issuer, name="mys-mar", at_ms=at_ms)


def test_what_is_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"no")

    with pytest.raises(InputError, match="no PEM certificate"):
        check_certificate(tmp_path / "a", tmp_path / "a", name="mys-mar", at_ms=NOW_MS)


@pytest.mark.parametrize("host", ["broker.example.org", "hub", "192.0.2.7", "2001:db8::7"])
def test_names_and_addresses_are_hosts(host: str) -> None:
    assert host == check_host(host)


@pytest.mark.parametrize("host", ["", "a b", "-x.org", "x..org", "höst.example", "a" * 254, "*.example.org"])
def test_anything_else_is_none(host: str) -> None:
    with pytest.raises(UsageError, match="no host name"):
        check_host(host)
