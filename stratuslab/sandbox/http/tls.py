"""TLS on the connections of the server."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

from stratuslab.sandbox.http import client_certificate


def cover(connection: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
    """Put TLS over an accepted connection, if there is a context; the handshake is still to be made."""
    if context is None:
        return connection
    return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)


def shake_hands(connection: socket.socket) -> None:
    """Make the handshake if there is TLS on the connection; ConnectionAbortedError if it fails."""
    if isinstance(connection, ssl.SSLSocket):
        try:
            connection.do_handshake()
        except OSError as error:
            raise ConnectionAbortedError("the TLS handshake has failed") from error


def say_goodbye(connection: socket.socket) -> None:
    """Tell a client with TLS that nothing more comes, without waiting for its answer."""
    if isinstance(connection, ssl.SSLSocket):
        with suppress(OSError, ValueError):
            connection.setblocking(False)
            connection.unwrap()


def end_of_input(connection: socket.socket) -> None:
    """Stop receiving on a connection, with TLS or without; what is being sent still goes out.

    OSError if the connection is closed already.
    """
    socket.socket.shutdown(connection, socket.SHUT_RD)


def environ(connection: socket.socket) -> dict[str, str]:
    """Return what a WSGI environ says of a connection: the scheme, and the certificate of the client."""
    if not isinstance(connection, ssl.SSLSocket):
        return {"wsgi.url_scheme": "http"}
    certificate = connection.getpeercert(binary_form=True)
    if certificate is None:
        return {"wsgi.url_scheme": "https"}
    return {
        "wsgi.url_scheme": "https",
        client_certificate.ENVIRON_KEY: ssl.DER_cert_to_PEM_cert(certificate),
    }
