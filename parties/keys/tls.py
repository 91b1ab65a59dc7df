"""Certificates and TLS: a development authority, signing requests, and contexts for both ends.

TLS 1.3 only, and both sides show a certificate. A certificate authority says that a certificate is
genuine; the fingerprint in ``party.toml`` says whose it is.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from parties.config import Config
from parties.config.files import write_private
from vfl.errors import ConfigError

DEVELOPMENT_DAYS = 365
"""How long what the development authority signs is valid."""


class Files(NamedTuple):
    """The PEM files of one party."""

    certificate: Path
    key: Path
    ca: Path


def files_of(config: Config) -> Files:
    """Return the files that ``[tls]`` names."""
    return Files(*(config.path(name) for name in (config.tls.certificate, config.tls.key, config.tls.ca)))


class Authority(NamedTuple):
    """A development certificate authority: for trials and tests, with its key lying in a file."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def development_authority(directory: Path) -> Authority:
    """Open the authority in a directory, creating it when there is none.

    Raises:
        ConfigError: the files there are not an authority's.
    """
    key_file, certificate_file = directory / "ca-key.pem", directory / "ca.pem"
    if not key_file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign_authority(key)
        write_private(key_file, _key_pem(key))
        write_private(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))
    try:
        loaded = serialization.load_pem_private_key(key_file.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except (ValueError, TypeError, OSError):
        raise ConfigError(f"{directory} is not a development authority; name an empty directory") from None
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"{key_file} is not an elliptic-curve key; name an empty directory")
    return Authority(loaded, certificate)


def new_key(file: Path) -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key and write it 0600."""
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(file, _key_pem(key), replace=False)
    return key


def signing_request(
    key: ec.EllipticCurvePrivateKey, name: str, hosts: Sequence[str]
) -> x509.CertificateSigningRequest:
    """Return a request for a certificate authority to sign, for a party reachable as ``hosts``."""
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_common_name(name))
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .sign(key, hashes.SHA256())
    )


def issue(
    authority: Authority, request: x509.CertificateSigningRequest, days: float = DEVELOPMENT_DAYS
) -> x509.Certificate:
    """Sign a request with the development authority, for use at both ends of a connection.

    Args:
        days: how long the certificate lasts.
    """
    usage = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    hosts = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    issuer = authority.certificate.subject
    builder = _builder(request.subject, issuer, request.public_key(), days)  # type: ignore[arg-type]
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(hosts, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
        )
        .sign(authority.key, hashes.SHA256())
    )


def fingerprint(der: bytes) -> str:
    """Return the SHA-256 of a certificate in DER form, 64 hex digits."""
    return hashlib.sha256(der).hexdigest()


def fingerprint_of_pem(pem: str) -> str:
    """Return the fingerprint of the first certificate in a PEM text; raises ValueError."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return fingerprint(certificate.public_bytes(serialization.Encoding.DER))


def fingerprint_of_file(file: Path) -> str:
    """Return the fingerprint of a certificate file; raises ConfigError."""
    try:
        return fingerprint_of_pem(file.read_text())
    except (OSError, ValueError):
        raise ConfigError(f"{file} holds no certificate; put the one your authority signed there") from None


def server_context(files: Files) -> ssl.SSLContext:
    """Return the context of a server that no client without a certificate gets through to.

    Raises:
        ConfigError: a file is missing or they do not belong together.
    """
    context = _context(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), files)
    context.verify_mode = ssl.CERT_REQUIRED
    # No resumption: every connection shows its certificate.
    context.num_tickets = 0
    return context


def client_context(files: Files, *expected: str) -> ssl.SSLContext:
    """Return the context of a client that talks to the holder of a known certificate only.

    Args:
        expected: fingerprint of the server's certificate, or of the present and the next one. It is checked
            within the handshake, so not a byte of a message goes to anybody else, another customer of the
            same authority included.

    Raises:
        ConfigError: a file is missing or they do not belong together.
    """

    class PinnedSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            certificate = self.getpeercert(binary_form=True)
            if certificate is None or fingerprint(certificate) not in expected:
                raise ssl.SSLCertVerificationError("the server's certificate is not the configured one")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The fingerprint names one certificate, which says more than the host name in it.
    context.check_hostname = False
    context.sslsocket_class = PinnedSocket
    return _context(context, files)


def public_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the context of a server whose clients show an API key and no certificate: TLS 1.2 or 1.3.

    Raises:
        ConfigError: a file is missing or they do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, certificate, key)
    return context


def _context(context: ssl.SSLContext, files: Files) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _load(context, *files)
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path, ca: Path | None = None) -> None:
    files = [file for file in (certificate, key, ca) if file]
    for file in files:
        if not file.is_file():
            raise ConfigError(f"{file} does not exist; make it with `vfl party init`, or correct [tls]")
    if key.stat().st_mode & 0o077:
        raise ConfigError(f"{key} can be read by others; run: chmod 600 {key}")
    try:
        context.load_cert_chain(certificate, key)
        if ca:
            context.load_verify_locations(ca)
    except (ssl.SSLError, OSError):
        names = ", ".join(map(str, files))
        raise ConfigError(f"{names} do not belong together; issue them again") from None


def _sign_authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    subject = _common_name("vfl development authority")
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip
    return (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    days: float = DEVELOPMENT_DAYS,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
