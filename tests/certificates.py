"""Certificates for tests: an authority, and what it issues for 127.0.0.1."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = dt.timedelta(days=1)


class Authority:
    """`pem` is its certificate. Several can have the same name and do not trust each other's certificates."""

    def __init__(self, name: str = "authority") -> None:
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
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
        builder = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
        )
        self.pem = _pem(builder.sign(self._key, hashes.SHA256()))

    def issue(self, name: str, hosts: Sequence[str] = ()) -> tuple[bytes, bytes]:
        """A certificate and its key, also for these names of hosts."""
        key = ec.generate_private_key(ec.SECP256R1())
        local = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        own = x509.SubjectAlternativeName([local, *map(x509.DNSName, hosts)])
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            self._builder(_named(name), key.public_key())
            .add_extension(own, critical=False)
            .add_extension(signer, critical=False)
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return _pem(builder.sign(self._key, hashes.SHA256())), private

    def files(self, name: str) -> dict[str, bytes]:
        """What cert-manager puts into a Secret."""
        certificate, key = self.issue(name)
        return {"tls.crt": certificate, "tls.key": key, "ca.crt": self.pem}

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
