"""Translation of the transport's failures into this package's errors."""

from __future__ import annotations

import re
import ssl
from http import HTTPStatus
from http.client import BadStatusLine, RemoteDisconnected, UnknownProtocol
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import InvalidChunkLength, InvalidHeader, NewConnectionError

from stratuslab.client.configuration.cloud import Password
from stratuslab.client.error_codes import error_of_status
from stratuslab.client.errors import (
    AnswerLostError,
    AnswerTimeoutError,
    ConnectTimeoutError,
    CredentialsError,
    ForbiddenError,
    MalformedAnswerError,
    ServiceError,
    StratusLabError,
    TlsError,
    UnreachableError,
    outcome_unknown,
    refused_by_status,
)
from stratuslab.client.transport.redaction import Secrecy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratuslab.client.configuration.cloud import Cloud, Credentials
    from stratuslab.client.configuration.endpoints import Endpoint

__all__ = [
    "MAX_REDIRECTS",
    "Failures",
    "certificate_refused",
    "identity_of",
    "in_doubt",
    "never_connected",
    "quotes_the_server",
    "reason_of",
]

MAX_REDIRECTS = 5

_WHERE_IN_OPENSSL = re.compile(r"^\[[^]]*\] | \(_ssl\.c:\d+\)$")
_QUOTING = (BadStatusLine, UnknownProtocol, InvalidChunkLength, InvalidHeader)
_ADDRESS_ERRORS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)
_CERTIFICATE_ALERT = re.compile("ALERT_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)")


def never_connected(error: BaseException) -> bool:
    """Return whether the failure came before any request could be sent: no connection was made.

    OpenSSL's text of a failure is often the same before and after. Then the place where it was raised tells:
    urllib3 makes connections, with proxy and TLS, in methods with the name ``connect``.
    """
    return any(
        isinstance(seen, (NewConnectionError, requests.exceptions.InvalidURL)) or _raised_in_connect(seen)
        for seen in _chain(error)
    )


def certificate_refused(error: BaseException) -> bool:
    """Return whether the server ended the TLS handshake because of our certificate, or because we have none.

    With TLS 1.3 this only shows after the request was sent; the server has not looked at it.
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


def in_doubt(error: StratusLabError) -> StratusLabError:
    """Return the worst that may be true of a change that a server in between may have refused.

    Such a server may have passed the request on before it refused; one that asks for credentials or does not
    know the path did not.
    """
    nowhere = isinstance(error, ServiceError) and error.http_code == HTTPStatus.NOT_FOUND
    if nowhere or not refused_by_status(error) or isinstance(error, (CredentialsError, ForbiddenError)):
        return error
    return _perhaps(error, "a server in between may have answered, and this may have been carried out")


def worst_of(error: StratusLabError, *, repeated: bool) -> StratusLabError:
    """Return the worst that may be true of a request; ``repeated``: an earlier try may have succeeded."""
    if not repeated or outcome_unknown(error):
        return error
    return _perhaps(error, "an earlier try of this request may have been carried out")


def _perhaps(error: StratusLabError, what: str) -> AnswerLostError:
    worst = AnswerLostError(f"{error.message}; {what}", location=error.location, operation=error.operation)
    worst.__cause__ = error
    return worst


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


def _all_of(error: BaseException) -> Iterator[BaseException]:
    """Yield a failure and whatever hangs on it."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        seen = waiting.pop()
        if isinstance(seen, BaseException) and not any(seen is known for known in found):
            found.append(seen)
            waiting += [seen.__cause__, seen.__context__, getattr(seen, "reason", None), *seen.args]
    yield from found


def _raised_in_connect(error: BaseException) -> bool:
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_name == "connect":
            return True
        step = step.tb_next
    return False


_IF_HTTPS = "if the service speaks https, write https in its address"


class Failures:
    """The errors of one service of one cloud: each says where it happened, and none holds a secret."""

    def __init__(
        self, cloud: Cloud, service: str, endpoint: Endpoint, credentials: Credentials | None
    ) -> None:
        self._cloud = cloud
        self._service = service
        self._endpoint = endpoint
        self._credentials = credentials
        self._secrecy = Secrecy(cloud)
        self._where = endpoint.address

    def of_exception(
        self, operation: str, error: requests.RequestException, *, sent: bool
    ) -> StratusLabError:
        """Return our error for one of the transport."""
        location = self._cloud.location
        where = self._where
        if isinstance(error, requests.exceptions.TooManyRedirects):
            return ServiceError(
                f"{where} redirects more than {MAX_REDIRECTS} times",
                location=location,
                operation=operation,
                http_code=HTTPStatus.FOUND,
            )
        not_sent = not sent or never_connected(error)
        reason = self.quotable(reason_of(error))
        late = isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error).lower()
        if late and not_sent:
            return self.not_in_time(operation)
        if isinstance(error, _ADDRESS_ERRORS):
            return self._no_address(operation)
        if isinstance(error, requests.exceptions.SSLError) and not_sent:
            return self.no_tls(operation, reason)
        if certificate_refused(error):
            return self.no_tls(operation, reason, "pem_certificate and pem_key")
        if late:
            return AnswerTimeoutError(
                f"no answer from {where} within {self._cloud.timeout:g} s",
                location=location,
                operation=operation,
            )
        if never_connected(error):
            way = " through the proxy" if isinstance(error, requests.exceptions.ProxyError) else ""
            return UnreachableError(
                f"no connection to {where}{way}: {reason}{self._advice(error)}",
                location=location,
                operation=operation,
            )
        if not sent:
            return UnreachableError(
                f"the request to {where} could not be made: {reason}", location=location, operation=operation
            )
        other = quotes_the_server(error) and not self._endpoint.secure
        advice = f"; {_IF_HTTPS}" if other else ""
        return AnswerLostError(
            f"the connection to {where} broke before the whole answer had come{advice}",
            location=location,
            operation=operation,
        )

    def unusable(self, operation: str, error: ValueError, *, sent: bool) -> StratusLabError:
        """Return the error for what Python's HTTP refused: an address, or an answer."""
        if never_connected(error) or not sent:
            return self._no_address(operation)
        return self.malformed(operation, self._not_http())

    def _not_http(self) -> str:
        if self._endpoint.secure:
            return "it is not HTTP"
        return f"it is not HTTP; {_IF_HTTPS}"

    def _no_address(self, operation: str) -> UnreachableError:
        """Return the error for an invalid address. It is not shown: it may hold a password."""
        return UnreachableError(
            f"no connection to {self._where}: its address, or that of the proxy which "
            "HTTP_PROXY or HTTPS_PROXY names, is not valid",
            location=self._cloud.location,
            operation=operation,
        )

    def _advice(self, error: BaseException) -> str:
        """Return what to check when there was no connection at all."""
        *_, seen = _chain(error)
        text = str(seen)
        if isinstance(seen, ConnectionRefusedError) or "refused" in text:
            return f"; check that the service runs, and its port in {self._cloud.source}"
        # Old versions of urllib3 have the failure of the name beside their own, not below it.
        if any(type(found).__name__ == "gaierror" for found in _all_of(error)):
            return f"; check the name of the host in {self._cloud.source}"
        return ""

    def without_secrets(self, error: requests.RequestException) -> requests.RequestException | None:
        """Return the original failure for those who look for the cause, None if it may show a secret.

        It carries the request, whose headers hold the credentials, and may quote the server or an address.
        """
        error.request = error.response = None
        shown = "\n".join(f"{seen} {seen!r} {getattr(seen, '__notes__', '')}" for seen in _all_of(error))
        may_show = isinstance(error, _ADDRESS_ERRORS) or quotes_the_server(error)
        if may_show or self._secrecy.cover(shown) != shown:
            return None
        # The local variables of the libraries hold the request, and tools that report crashes read them.
        for seen in _all_of(error):
            seen.__traceback__ = None
        return error

    def not_in_time(self, operation: str, reason: str = "") -> ConnectTimeoutError:
        """Return the error for a request that was not sent in time."""
        return ConnectTimeoutError(
            f"no connection to {self._where} within {self._cloud.timeout:g} s" + (reason and f": {reason}"),
            location=self._cloud.location,
            operation=operation,
        )

    def no_tls(self, operation: str, reason: str, keys: str = "verify_tls and ca_certificate") -> TlsError:
        """Return the error for a connection that could not be made secure; ``keys`` are keys of the file."""
        return TlsError(
            f"no secure connection to {self._where}: {reason}; see {keys} in {self._cloud.source}",
            location=self._cloud.location,
            operation=operation,
        )

    def malformed(self, operation: str, problem: str) -> MalformedAnswerError:
        """Return the error for an answer that is not what the protocol says."""
        return MalformedAnswerError(
            f"the answer of the {self._service} service cannot be read: {self.quotable(problem)}",
            location=self._cloud.location,
            operation=operation,
        )

    def refused(self, operation: str, status: int, reason: str, message: str | None = None) -> ServiceError:
        """Return the error for a status that does not mean success.

        ``message`` is the service's own text, if it gave one.
        """
        kind = error_of_status(status)
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return self._redirected(operation, status)
        text = f"the {self._service} service answered {status} {self.quotable(reason)}".rstrip()
        if status == HTTPStatus.UNAUTHORIZED:
            text += f": {identity_of(self._credentials)} was refused; see {self._cloud.source}"
        elif message:
            text += f": {self.quotable(message)}"
        elif status == HTTPStatus.NOT_FOUND:
            # This is not the service's own answer: what was asked for may well exist.
            kind = ServiceError
            text += f": it is not at {self._endpoint.url}; see {self._cloud.source}"
        return kind(text, location=self._cloud.location, operation=operation, http_code=status)

    def _redirected(self, operation: str, status: int) -> ServiceError:
        not_sent = ", where the credentials are not sent" if self._credentials else ""
        return ServiceError(
            f"{self._where} redirects elsewhere{not_sent}; write the new address into {self._cloud.source}",
            location=self._cloud.location,
            operation=operation,
            http_code=status,
        )

    def quotable(self, text: str) -> str:
        """Return a server's text as it may be shown, without our secrets."""
        return self._secrecy.quotable(text)


def identity_of(credentials: Credentials | None) -> str:
    """Return what was shown to a service, in the words of errors."""
    if isinstance(credentials, Password):
        return f"the password of {credentials.username!r}"
    return "the certificate"
