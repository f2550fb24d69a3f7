"""What a failure of the transport means: whether the request can have arrived, and why it failed."""

from __future__ import annotations

import re
import ssl
from http.client import BadStatusLine, RemoteDisconnected, UnknownProtocol
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import InvalidChunkLength, InvalidHeader, NewConnectionError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["certificate_refused", "never_connected", "quotes_the_server", "reason_of"]

_WHERE_IN_OPENSSL = re.compile(r"^\[[^]]*\] | \(_ssl\.c:\d+\)$")
_QUOTING = (BadStatusLine, UnknownProtocol, InvalidChunkLength, InvalidHeader)
_CERTIFICATE_ALERT = re.compile("ALERT_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)")


def never_connected(error: BaseException) -> bool:
    """Return whether the failure came before any request could be sent: no connection was made.

    Where the text of a failure is the same before and after, as OpenSSL's often is, what tells is where
    it was raised: urllib3 makes connections, with proxy and TLS, in methods called ``connect``.
    """
    return any(
        isinstance(seen, (NewConnectionError, requests.exceptions.InvalidURL)) or _raised_in_connect(seen)
        for seen in _chain(error)
    )


def certificate_refused(error: BaseException) -> bool:
    """Return whether the server ended the TLS handshake because of our certificate, or for want of one.

    With TLS 1.3 that shows only after the request was sent; the server has not looked at it.
    """
    return any(
        isinstance(seen, ssl.SSLError) and _CERTIFICATE_ALERT.search(str(seen.reason)) is not None
        for seen in _chain(error)
    )


def quotes_the_server(error: BaseException) -> bool:
    """Return whether the text of a failure holds a piece of what the server sent in place of HTTP."""
    return any(
        isinstance(seen, _QUOTING) and not isinstance(seen, RemoteDisconnected) for seen in _chain(error)
    )


def reason_of(error: BaseException) -> str:
    """Return the innermost reason of a failure, as the operating system or OpenSSL words it."""
    *_, seen = _chain(error)
    if isinstance(seen, ssl.SSLError):
        return _WHERE_IN_OPENSSL.sub("", str(seen))
    return str(seen).rpartition(": ")[2] or type(seen).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield a failure and those that it wraps, from the outermost to the innermost."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        inner = getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((argument for argument in seen.args if isinstance(argument, BaseException)), None)
        inner = inner or seen.__cause__
        seen = inner


def _raised_in_connect(error: BaseException) -> bool:
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_name == "connect":
            return True
        step = step.tb_next
    return False
