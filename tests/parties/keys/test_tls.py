"""Certificates: what the development authority signs, how files are kept, what contexts refuse."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from parties.config import Config
from parties.keys import tls
from vfl.errors import ConfigError


def test_keys_are_p256_and_private(bank: Config) -> None:
    """A party's key is an elliptic-curve key that only its owner can read."""
    key = tls.files_of(bank).key
    assert key.stat().st_mode & 0o777 == 0o600
    request = tls.signing_request(ec.generate_private_key(ec.SECP256R1()), "x", ["host", "127.0.0.1"])
    assert request.is_signature_valid
    certificate = x509.load_pem_x509_certificate(tls.files_of(bank).certificate.read_bytes())
    public = certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert isinstance(public.curve, ec.SECP256R1)


def test_a_certificate_is_signed_by_its_authority_and_is_none(bank: Config) -> None:
    """The authority's signature is on the certificate, which cannot sign others itself."""
    files = tls.files_of(bank)
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(files.ca.read_bytes()))
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_fingerprints_are_those_of_openssl(bank: Config) -> None:
    """The fingerprint is SHA-256 over the DER form, however the certificate is given."""
    pem = tls.files_of(bank).certificate.read_text()
    assert tls.fingerprint_of_pem(pem) == tls.fingerprint(ssl.PEM_cert_to_DER_cert(pem))
    assert tls.fingerprint_of_file(tls.files_of(bank).certificate) == tls.fingerprint_of_pem(pem)


def test_an_authority_is_reused_and_never_replaced(tmp_path: Path) -> None:
    """Opening a development authority twice gives the same one; a wrong directory is told."""
    first, again = tls.development_authority(tmp_path / "ca"), tls.development_authority(tmp_path / "ca")
    assert first.certificate == again.certificate
    (tmp_path / "ca" / "ca.pem").write_text("nonsense")
    with pytest.raises(ConfigError, match="not a development authority"):
        tls.development_authority(tmp_path / "ca")


def test_contexts_refuse_open_missing_and_unfitting_files(bank: Config, bureau: Config) -> None:
    """A key that others can read, a missing file and another party's key are told with a remedy."""
    files, other = tls.files_of(bank), tls.files_of(bureau)
    with pytest.raises(ConfigError, match="do not belong together"):
        tls.server_context(files._replace(key=other.key))
    with pytest.raises(ConfigError, match="does not exist"):
        tls.server_context(files._replace(ca=Path("/nowhere.pem")))
    files.key.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        tls.client_context(files, "0" * 64)


def test_contexts_speak_tls_1_3_and_want_certificates(bank: Config) -> None:
    """Both ends allow nothing older, and neither goes without the other's certificate."""
    files = tls.files_of(bank)
    for context in (tls.server_context(files), tls.client_context(files, "0" * 64)):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_3
        assert context.verify_mode == ssl.CERT_REQUIRED
