"""The certificate authority of a sandbox: it vouches for its server and for the users it is asked to."""

from __future__ import annotations

import itertools
import os
import ssl
from datetime import datetime, timedelta, timezone
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_VALIDITY = timedelta(days=365)
_DIFFERENCE_OF_CLOCKS = timedelta(days=1)
_END_WITHOUT_GOODBYE = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # OpenSSL 1.1.1 has it always
_ADDRESS = "127.0.0.1"
_THIS_MACHINE = (
    x509.IPAddress(IPv4Address(_ADDRESS)),
    x509.DNSName("localhost"),
    x509.DNSName(_ADDRESS),  # Python 2.7, in which the clients of 2014 run, looks at names only
)
_SIGNS_CERTIFICATES = {"key_cert_sign": True, "crl_sign": True, "digital_signature": False}
_SIGNS_HANDSHAKES = {"key_cert_sign": False, "crl_sign": False, "digital_signature": True}


class CertificateFiles(NamedTuple):
    """A certificate and its private key, each in a PEM file of its own, the key for its owner to read."""

    certificate: Path
    key: Path


class CertificateAuthority:
    """Issues certificates into a folder; `certificate` is the file of its own one.

    Its own private key is only in this object. All certificates are valid for a year by the clock of
    this machine.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = _new_key()
        self._name = _common_name("StratusLab sandbox CA")
        self._client_numbers = itertools.count(1)
        self.certificate = folder / "ca.pem"
        basic = x509.BasicConstraints(ca=True, path_length=None)
        own = self._signed(self._name, self._key.public_key(), basic, _SIGNS_CERTIFICATES, [])
        self.certificate.write_bytes(own.public_bytes(Encoding.PEM))

    def issue_for_server(self) -> CertificateFiles:
        """Issue the certificate of a server on this machine, 127.0.0.1 or localhost."""
        extensions = [
            x509.SubjectAlternativeName(_THIS_MACHINE),
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        ]
        return self._issue("server", _common_name("localhost"), extensions)

    def issue_for_client(self, dn: str) -> CertificateFiles:
        """Issue the certificate of a user; ValueError if `dn` is not a distinguished name of RFC 4514."""
        subject = distinguished_name(dn)
        extensions = [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])]
        return self._issue(f"client-{next(self._client_numbers)}", subject, extensions)

    def server_context(self) -> ssl.SSLContext:
        """Return what a server needs to speak TLS: client certificates are asked for, not required.

        Such a certificate may be a proxy (RFC 3820), which a user has signed with her own.
        """
        files = self.issue_for_server()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        context.load_verify_locations(self.certificate)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_ALLOW_PROXY_CERTS
        context.options |= _END_WITHOUT_GOODBYE
        return context

    def _issue(
        self, file_name: str, subject: x509.Name, extensions: Sequence[x509.ExtensionType]
    ) -> CertificateFiles:
        key = _new_key()
        basic = x509.BasicConstraints(ca=False, path_length=None)
        certificate = self._signed(subject, key.public_key(), basic, _SIGNS_HANDSHAKES, extensions)
        files = CertificateFiles(self._folder / f"{file_name}.pem", self._folder / f"{file_name}.key")
        files.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        descriptor = os.open(files.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return files

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        basic: x509.BasicConstraints,
        usage: dict[str, bool],
        extensions: Sequence[x509.ExtensionType],
    ) -> x509.Certificate:
        now = datetime.now(timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DIFFERENCE_OF_CLOCKS)
            .not_valid_after(now + _VALIDITY)
            .add_extension(basic, critical=True)
            .add_extension(_key_usage(usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def distinguished_name(text: str) -> x509.Name:
    """Read a distinguished name as RFC 4514 (and RFC 2253) writes it; ValueError if it is not one."""
    try:
        name = x509.Name.from_rfc4514_string(text)
    except ValueError:
        name = x509.Name([])
    if not name.rdns:
        raise ValueError(f"{text!r} is no distinguished name, such as CN=Jane Tester,O=StratusLab,C=FR")
    return name


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_usage(usage: dict[str, bool]) -> x509.KeyUsage:
    return x509.KeyUsage(
        **usage,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
