"""Certificates: an authority of our own, and what it signs. Time is handed in; keys are the only randomness."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: Clocks differ: a certificate is valid a little before it is made.
BACKDATE: Final = timedelta(minutes=5)
_COMMON_NAME: Final = "game-operators webhooks"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _builder(
    subject: str, public: ec.EllipticCurvePublicKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def new_authority(now: datetime, life: timedelta) -> Pair:
    """A self-signed authority that may sign servers, and no other authorities.

    Its name carries the time: two authorities of one name would be taken for one another in a bundle.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = f"{_COMMON_NAME} {now:%Y-%m-%dT%H:%M:%S.%fZ}"
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(name, key.public_key(), now, now + life)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def issue(authority: Pair, names: Sequence[str], now: datetime, life: timedelta) -> Pair:
    """A server's certificate for these DNS names and addresses; it never outlives the authority."""
    signer = x509.load_pem_x509_certificate(authority.certificate)
    signing = serialization.load_pem_private_key(authority.key, None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    until = min(now + life, signer.not_valid_after_utc)
    certificate = (
        _builder(names[0], key.public_key(), now, until)
        .issuer_name(signer.subject)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()),
            critical=False,
        )
        .sign(signing, hashes.SHA256())
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def bundle_of(pem: bytes) -> list[x509.Certificate]:
    """All certificates of a bundle, none when it cannot be read."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        return []


def pem_of(certificates: Sequence[x509.Certificate]) -> bytes:
    """A bundle of these certificates."""
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def belongs(certificate: x509.Certificate, key: bytes) -> bool:
    """Whether this is the certificate's key, and one that can be used."""
    try:
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError):
        return False
    return isinstance(private, ec.EllipticCurvePrivateKey) and private.public_key() == certificate.public_key()


def signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether the authority signed the certificate."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def names_of(certificate: x509.Certificate) -> set[str]:
    """DNS names and addresses a certificate is good for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))}


def created(certificate: x509.Certificate) -> datetime:
    """When a certificate of ours was made."""
    return certificate.not_valid_before_utc + BACKDATE


def age(certificate: x509.Certificate, now: datetime) -> float:
    """The share of its life that is over; above 1 it has ended."""
    life = certificate.not_valid_after_utc - created(certificate)
    return (now - created(certificate)) / life if life > timedelta(0) else 2.0
