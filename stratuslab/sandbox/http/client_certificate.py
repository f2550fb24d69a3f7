"""Who the client is, by the certificate of the TLS connection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

ENVIRON_KEY = "SSL_CLIENT_CERT"
"""Where a server puts the certificate of the client into the environ, as PEM; mod_ssl's name for it."""

_OF_PROXY = re.compile(r"(?:CN=proxy,)?(?:CN=\d+,)?")


def user_of(request: Request) -> str | None:
    """Return the login name in the certificate of a request; None without a certificate.

    It is the distinguished name as RFC 2253 writes it; for a proxy certificate that of the user behind it.
    """
    certificate = request.environ.get(ENVIRON_KEY)
    if certificate is None:
        return None
    from cryptography import x509

    subject = x509.load_pem_x509_certificate(certificate.encode("ascii")).subject
    return _OF_PROXY.sub("", subject.rfc4514_string(), count=1)
