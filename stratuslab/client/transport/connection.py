"""The one module that speaks HTTP: TLS, credentials, time-outs, and what can go wrong on the way.

It builds on Libcloud's own ``Connection``, so ``libcloud.security``, proxies, ``LIBCLOUD_DEBUG`` and
``enable_debug`` work as for any driver. A connection belongs to one cloud and one service, is kept
alive between requests and lets one request through at a time: Libcloud's class would otherwise give
one thread's answer to another.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urljoin, urlsplit
from weakref import WeakValueDictionary

import requests
from libcloud import __version__ as libcloud_version
from libcloud.common.base import Connection, Response

from stratuslab.client.configuration.cloud import CertificateFiles, Cloud, Credentials, Password
from stratuslab.client.errors import (
    AnswerLostError,
    AnswerTimeoutError,
    ConfigurationError,
    ConnectTimeoutError,
    MalformedAnswerError,
    ServiceError,
    StratusLabError,
    TlsError,
    UnreachableError,
    error_of_code,
    error_of_fault,
    error_of_status,
)
from stratuslab.client.opennebula.xmlrpc_message import Answer, AnswerReader, Fault, encode_call, read_answer
from stratuslab.client.transport.deadline import keep_time, until
from stratuslab.client.transport.failures import (
    certificate_refused,
    never_connected,
    quotes_the_server,
    reason_of,
)
from stratuslab.client.transport.redaction import Secrecy
from stratuslab.client.transport.retry import (
    MAX_REPEATS,
    TEMPORARY_STATUSES,
    may_repeat_after,
    pause_before,
    seconds_of,
)
from stratuslab.client.transport.xml_document import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stratuslab.client.configuration.endpoints import Endpoint
    from stratuslab.client.transport.xml_document import EntryReader

__all__ = [
    "MAX_ANSWER_BYTES",
    "ComputeConnection",
    "HttpAnswer",
    "ServiceConnection",
    "compute_connection",
    "marketplace_connection",
    "pdisk_connection",
]

logger = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 128 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_LEAST_TIMEOUT = 0.001
_MAX_MARKETPLACE_REDIRECTS = 5
_SESSION_BEHIND_PROXY = "dummy:pass"
"""The proxy demands a session and throws it away; the password need not travel twice."""

_ADDRESS_ERRORS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)

Service = Literal["compute", "pdisk", "marketplace"]


@dataclass(frozen=True)
class HttpAnswer:
    """An answer as it came: status, media type in lower case, body in bytes.

    ``retry_after`` is what the server demands, in seconds. ``repeated`` says that an earlier request
    of the same exchange may have been carried out.
    """

    status: int
    reason: str
    media_type: str
    body: bytes
    retry_after: float | None = None
    repeated: bool = False


class _Unshown(str):
    """A header that is sent as it is, and shown as three asterisks in Libcloud's debug log and elsewhere."""

    __slots__ = ()

    def __format__(self, _: str) -> str:
        return "***"

    def __repr__(self) -> str:
        return "***"


class _CoveredBody(bytes):
    """A body that is sent as it is, and shown without secrets in Libcloud's debug log."""

    secrecy: Secrecy

    @classmethod
    def of(cls, body: bytes, secrecy: Secrecy) -> _CoveredBody:
        covered = cls(body)
        covered.secrecy = secrecy
        return covered

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self.secrecy.cover(super().decode(encoding, errors))


class _StreamedResponse(Response):
    """Libcloud's response without its reading: status and headers, and the body when asked for."""

    def __init__(self, response: requests.Response, connection: Connection) -> None:
        self.connection = connection
        self.status = response.status_code
        self.error = response.reason
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.response = response


class ServiceConnection(Connection):
    """A kept-alive connection to one service of one cloud. Makes no connection before its first use."""

    responseCls = _StreamedResponse  # noqa: N815  Libcloud's name

    def __init__(
        self, cloud: Cloud, service: Service, endpoint: Endpoint, credentials: Credentials | None
    ) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            secure=endpoint.secure,
            host=endpoint.host,
            port=endpoint.port,
            timeout=cloud.timeout,
            proxy_url=cloud.proxy_url,
            retry_delay=cloud.retry_delay,
            backoff=cloud.backoff,
        )
        self.cloud = cloud
        self.service = service
        self.endpoint = endpoint
        self._credentials = credentials
        self._secrecy = Secrecy(cloud)
        self._lock = threading.RLock()
        self.connect()  # type: ignore[no-untyped-call]
        self._set_up_transport()

    @property
    def _transport(self) -> Any:
        return self.connection

    def _set_up_transport(self) -> None:
        transport = self._transport
        self._cover_proxy_password()
        # Redirects would carry credentials elsewhere, in a header or in a call; ~/.netrc would replace them.
        follows = self.service == "marketplace"
        transport.session.max_redirects = _MAX_MARKETPLACE_REDIRECTS
        transport.session.get_redirect_target = _redirect_target if follows else _nowhere
        transport.session.auth = _keep_as_is
        keep_time(transport.session)
        if isinstance(self._credentials, CertificateFiles):
            # Libcloud's own way, an adapter, shows no certificate through a proxy.
            transport.session.cert = (str(self._credentials.certificate), str(self._credentials.key))
        if not self.cloud.verify_tls:
            transport.verify, transport.ca_cert = False, None
            if self.endpoint.secure:
                logger.warning(
                    "location %r: the certificate of the %s service is not verified (verify_tls = false)",
                    self.cloud.location,
                    self.service,
                )
        elif self.cloud.ca_certificate:
            transport.verify, transport.ca_cert = True, str(self.cloud.ca_certificate)
        # Where redirects are followed, each host may have another proxy.
        if not follows or self.cloud.proxy_url:
            self._read_environment_once()

    def _read_environment_once(self) -> None:
        """Take proxies and authorities from the environment now.

        ``requests`` would do so at every request, and prefer that proxy to the one which Libcloud was told.
        """
        transport = self._transport
        found = transport.session.merge_environment_settings(
            self.endpoint.url, {}, None, transport.verification, None
        )
        if found["verify"] != transport.verification:
            transport.ca_cert = found["verify"]
        if not self.cloud.proxy_url:
            transport.session.proxies = found["proxies"]
        transport.session.trust_env = False

    def set_http_proxy(self, proxy_url: str) -> None:
        """Let the requests go through a proxy, as ``http://proxy:3128`` or ``http://user:password@proxy:3128``."""
        super().set_http_proxy(proxy_url)  # type: ignore[no-untyped-call]
        self._cover_proxy_password()

    def _cover_proxy_password(self) -> None:
        """Hide from Libcloud's debug log the password that its transport keeps for that alone."""
        password = self._transport.proxy_password
        self._transport.proxy_password = password and _Unshown(password)

    def morph_action_hook(self, action: str) -> str:
        """Return the path as it is: ids in it were quoted where they were put in."""
        return action

    def add_default_headers(self, headers: dict[str, str]) -> dict[str, str]:
        """Add the credentials, at once and not after a refusal: a POST cannot be sent twice.

        OpenNebula's own port takes them in the call, and must not be kept waiting by an idle connection.
        """
        if isinstance(self._credentials, Password) and not self.endpoint.direct:
            pair = f"{self._credentials.username}:{self._credentials.password}".encode()
            headers["Authorization"] = _Unshown(f"Basic {base64.b64encode(pair).decode('ascii')}")
        if self.endpoint.direct:
            headers["Connection"] = "close"
        return headers

    def _user_agent(self) -> str:
        tokens = "".join(f" ({token})" for token in self.ua)
        return f"libcloud/{libcloud_version} (StratusLab){tokens}"

    def exchange(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
        reader: Callable[[], Callable[[bytes], None]] | None = None,
    ) -> HttpAnswer:
        """Send a request and return the whole answer, whatever its status.

        ``path`` comes after the endpoint's. A ``repeatable`` request is sent again as
        :mod:`stratuslab.client.transport.retry` says, any other never. With ``reader`` the body of a 200 goes
        piece by piece to what it returns, anew for every time that the request is sent, and is not
        in the answer. Raises :class:`UnreachableError`, :class:`AnswerLostError` or
        :class:`MalformedAnswerError`; ``operation`` is for their text.
        """
        deadline = time.monotonic() + self.cloud.timeout
        repeats = MAX_REPEATS if repeatable else 0
        repeat = 0
        repeated = False
        while True:
            try:
                answer = self._send(
                    operation, method, path, body, params, headers, repeatable, reader, deadline
                )
            except StratusLabError as error:
                pause = pause_before(repeat, None)
                in_time = time.monotonic() + pause < deadline
                if repeat == repeats or not in_time or not may_repeat_after(error):
                    raise
                repeated = repeated or not isinstance(error, UnreachableError)
            else:
                pause = pause_before(repeat, answer.retry_after)
                in_time = time.monotonic() + pause < deadline
                if repeat == repeats or not in_time or answer.status not in TEMPORARY_STATUSES:
                    return replace(answer, repeated=repeated)
                repeated = True
            time.sleep(pause)
            repeat += 1

    def _send(
        self,
        operation: str,
        method: str,
        path: str,
        body: bytes | None,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        repeatable: bool,
        reader: Callable[[], Callable[[bytes], None]] | None,
        deadline: float,
    ) -> HttpAnswer:
        with self._turn(operation, deadline), until(deadline):
            self._transport.session.timeout = max(deadline - time.monotonic(), _LEAST_TIMEOUT)
            try:
                response = self.request(  # type: ignore[no-untyped-call]
                    self.endpoint.path + path,
                    params=dict(params or {}),
                    data=None if body is None else _CoveredBody.of(body, self._secrecy),
                    headers=dict(headers or {}),
                    method=method,
                    stream=True,
                    retry_failed=None if repeatable else False,
                ).response
                return self._read(operation, response, deadline, reader() if reader else None)
            except requests.RequestException as error:
                failure = self._failure(operation, error)
                failure.__cause__ = self._without_secrets(error)
            except DocumentError as error:
                failure = self.malformed(operation, str(error))
            except ValueError as error:
                failure = self._unusable(operation, error)
            except OSError as error:
                missing = self._missing_file()
                if missing is None:
                    raise
                raise self._no_tls(operation, f"there is no file {missing}") from error
            finally:
                if self.endpoint.direct:
                    # Libcloud's reference to the answer would keep the connection.
                    self._transport.response = None
                    self._transport.session.close()
        # Not where it was caught: the context would be what a library says, which may quote the server.
        raise failure

    @contextmanager
    def _turn(self, operation: str, deadline: float) -> Iterator[None]:
        """Wait until no other thread uses the connection."""
        if not self._lock.acquire(timeout=max(deadline - time.monotonic(), 0)):
            raise self._not_in_time(operation, "other requests did not end")
        try:
            if time.monotonic() >= deadline:
                raise self._not_in_time(operation, "other requests took the time")
            yield
        finally:
            self._lock.release()

    def _read(
        self,
        operation: str,
        response: requests.Response,
        deadline: float,
        consume: Callable[[bytes], None] | None,
    ) -> HttpAnswer:
        chunks: list[bytes] = []
        keep = consume if consume and response.status_code == HTTPStatus.OK else chunks.append
        size = 0
        with response:
            if response.status_code < HTTPStatus.OK:
                raise self.malformed(operation, f"the status {response.status_code} is not that of an answer")
            for chunk in response.iter_content(_CHUNK_BYTES):
                keep(chunk)
                size += len(chunk)
                if size > MAX_ANSWER_BYTES:
                    raise self.malformed(operation, f"it is longer than {MAX_ANSWER_BYTES >> 20} MiB")
                if time.monotonic() > deadline:
                    raise requests.exceptions.ReadTimeout
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return HttpAnswer(
            response.status_code,
            response.reason or "",
            media_type,
            b"".join(chunks),
            seconds_of(response.headers.get("Retry-After")),
        )

    def _unusable(self, operation: str, error: ValueError) -> StratusLabError:
        if never_connected(error):
            return self._no_address(operation)
        return self.malformed(operation, "it is not HTTP")

    def _no_address(self, operation: str) -> UnreachableError:
        """Return the error for an address that is none, which is not repeated: it may hold a password."""
        return UnreachableError(
            f"no connection to {self.endpoint.host}:{self.port}: its address, or that of the proxy which "
            "HTTP_PROXY or HTTPS_PROXY names, is not valid",
            location=self.cloud.location,
            operation=operation,
        )

    def _without_secrets(self, error: requests.RequestException) -> requests.RequestException | None:
        """Return the original failure for those who look for the cause, None if it may show a secret.

        It carries the request, whose headers hold the credentials, and may quote the server or an address.
        """
        error.request = error.response = None
        shown = "".join(traceback.format_exception(error))
        may_show = isinstance(error, _ADDRESS_ERRORS) or quotes_the_server(error)
        return None if may_show or self._secrecy.cover(shown) != shown else error

    def _failure(self, operation: str, error: requests.RequestException) -> StratusLabError:
        location = self.cloud.location
        where = f"{self.endpoint.host}:{self.port}"
        if isinstance(error, requests.exceptions.TooManyRedirects):
            return ServiceError(
                f"{where} redirects more than {_MAX_MARKETPLACE_REDIRECTS} times",
                location=location,
                operation=operation,
                http_code=HTTPStatus.FOUND,
            )
        reason = self.quotable(reason_of(error))
        late = isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error).lower()
        if late and never_connected(error):
            return self._not_in_time(operation)
        if isinstance(error, _ADDRESS_ERRORS):
            return self._no_address(operation)
        if isinstance(error, requests.exceptions.SSLError) and never_connected(error):
            return self._no_tls(operation, reason)
        if certificate_refused(error):
            return self._no_tls(operation, reason, "pem_certificate and pem_key")
        if late:
            return AnswerTimeoutError(
                f"no answer from {where} within {self.cloud.timeout:g} s",
                location=location,
                operation=operation,
            )
        if never_connected(error):
            way = " through the proxy" if isinstance(error, requests.exceptions.ProxyError) else ""
            return UnreachableError(
                f"no connection to {where}{way}: {reason}", location=location, operation=operation
            )
        return AnswerLostError(
            f"the connection to {where} broke before the whole answer had come",
            location=location,
            operation=operation,
        )

    def _not_in_time(self, operation: str, reason: str = "") -> ConnectTimeoutError:
        return ConnectTimeoutError(
            f"no connection to {self.endpoint.host}:{self.port} within {self.cloud.timeout:g} s"
            + (reason and f": {reason}"),
            location=self.cloud.location,
            operation=operation,
        )

    def _no_tls(self, operation: str, reason: str, keys: str = "verify_tls and ca_certificate") -> TlsError:
        return TlsError(
            f"no secure connection to {self.endpoint.host}:{self.port}: {reason}; "
            f"see {keys} in {self.cloud.source}",
            location=self.cloud.location,
            operation=operation,
        )

    def _missing_file(self) -> str | None:
        """Return the file of certificates or of a key that is not there; ``requests`` stops at it."""
        files = (self._transport.verification, *(self._transport.session.cert or ()))
        return next((file for file in files if isinstance(file, str) and not Path(file).exists()), None)

    def malformed(self, operation: str, problem: str) -> MalformedAnswerError:
        """Return the error for an answer which is not what it should be."""
        return MalformedAnswerError(
            f"the answer of the {self.service} service cannot be read: {self.quotable(problem)}",
            location=self.cloud.location,
            operation=operation,
        )

    def refused(self, operation: str, answer: HttpAnswer, message: str | None = None) -> ServiceError:
        """Return the error for an answer with a status that is none of success.

        ``message`` is the service's own word, if it gave one.
        """
        kind = error_of_status(answer.status)
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
            return self._redirected(operation, answer.status)
        text = f"the {self.service} service answered {answer.status} {self.quotable(answer.reason)}".rstrip()
        if answer.status == HTTPStatus.UNAUTHORIZED:
            text += f": {_identity(self._credentials)} was refused; see {self.cloud.source}"
        elif message:
            text += f": {self.quotable(message)}"
        elif answer.status == HTTPStatus.NOT_FOUND:
            # Not the service's own word: whatever was asked for may well exist.
            kind = ServiceError
            text += f": it is not at {self.endpoint.url}; see {self.cloud.source}"
        return kind(text, location=self.cloud.location, operation=operation, http_code=answer.status)

    def _redirected(self, operation: str, status: int) -> ServiceError:
        not_sent = ", where the credentials are not sent" if self._credentials else ""
        return ServiceError(
            f"{self.endpoint.host}:{self.port} redirects elsewhere{not_sent}; "
            f"write the new address into {self.cloud.source}",
            location=self.cloud.location,
            operation=operation,
            http_code=status,
        )

    def quotable(self, text: str) -> str:
        """Return what a server says as it may be shown, without our secrets, should it hold them."""
        return self._secrecy.quotable(text)


class ComputeConnection(ServiceConnection):
    """The connection to OpenNebula, through StratusLab's proxy or to its own port."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud, "compute", cloud.compute, None if cloud.compute.direct else cloud.credentials)
        self._session = _SESSION_BEHIND_PROXY
        if cloud.compute.direct:
            if not isinstance(cloud.credentials, Password):
                raise ConfigurationError(
                    f"{cloud.source}: an OpenNebula front end without StratusLab's proxy "
                    "takes username and password, not a certificate"
                )
            self._session = f"{cloud.credentials.username}:{cloud.credentials.password}"

    def call(
        self, method: str, *arguments: str | int | bool, repeatable: bool = True
    ) -> str | int | bool | None:
        """Call an XML-RPC method and return the second element of its answer, None where there is none.

        The session is added here. Raises, besides what :meth:`exchange` raises, the
        :class:`ServiceError` that belongs to the HTTP status, the fault or OpenNebula's code.
        """
        answer = self._post(method, arguments, repeatable=repeatable)
        try:
            return self._value_of(method, read_answer(answer.body))
        except DocumentError as error:
            problem = str(error)
        raise self.malformed(method, f"{problem} ({answer.media_type or 'no media type'})")

    def call_for_entries(
        self, method: str, *arguments: str | int | bool, entries: Callable[[], EntryReader]
    ) -> None:
        """Call a method that answers with a long document, and read that as it comes.

        ``entries`` returns the reader of the document, anew for every time that the call is sent.
        """
        readers: list[tuple[AnswerReader, EntryReader]] = []

        def reader() -> Callable[[bytes], None]:
            document = entries()
            readers.append((AnswerReader(document.feed), document))
            return readers[-1][0].feed

        try:
            self._post(method, arguments, repeatable=True, reader=reader)
            answer, document = readers[-1]
            self._value_of(method, answer.close())
            document.close()
        except DocumentError as error:
            problem = str(error)
        else:
            return
        raise self.malformed(method, problem)

    def _post(
        self,
        method: str,
        arguments: tuple[str | int | bool, ...],
        *,
        repeatable: bool,
        reader: Callable[[], Callable[[bytes], None]] | None = None,
    ) -> HttpAnswer:
        answer = self.exchange(
            method,
            "POST",
            "",
            body=encode_call(method, (self._session, *arguments)),
            headers={"Content-Type": "text/xml"},
            repeatable=repeatable,
            reader=reader,
        )
        if answer.status != HTTPStatus.OK:
            raise self.refused(method, answer)
        return answer

    def _value_of(self, method: str, result: Answer | Fault) -> str | int | bool | None:
        if isinstance(result, Fault):
            raise error_of_fault(result.code)(
                f"fault {result.code}: {self.quotable(result.text)}",
                location=self.cloud.location,
                operation=method,
                code=result.code,
            )
        if not result.ok:
            text = self.quotable(str(result.value))
            raise error_of_code(result.code, text)(
                text, location=self.cloud.location, operation=method, code=result.code
            )
        return result.value

    def call_for_text(self, method: str, *arguments: str | int | bool) -> str:
        """Call a method that answers with a document."""
        value = self.call(method, *arguments)
        if not isinstance(value, str):
            raise self.malformed(method, f"its value is of the type {type(value).__name__}, not a document")
        return value


_shared: WeakValueDictionary[tuple[int, Service], ServiceConnection] = WeakValueDictionary()
_shared_lock = threading.Lock()


def compute_connection(cloud: Cloud) -> ComputeConnection:
    """Return the cloud's connection to OpenNebula, shared by all that ask for it."""
    with _shared_lock:
        connection = _shared.get((id(cloud), "compute"))
        if not isinstance(connection, ComputeConnection):
            connection = _shared[id(cloud), "compute"] = ComputeConnection(cloud)
        return connection


def pdisk_connection(cloud: Cloud) -> ServiceConnection:
    """Return the cloud's connection to PDisk, shared by all that ask for it.

    Raises :class:`ConfigurationError` if the settings name no PDisk service.
    """
    base = cloud.required_pdisk()
    endpoint = base.at(f"{base.path}/{cloud.pdisk_credentials.prefix}")
    return _rest_connection(cloud, "pdisk", endpoint, cloud.pdisk_credentials)


def marketplace_connection(cloud: Cloud) -> ServiceConnection:
    """Return the cloud's connection to the Marketplace, shared by all; it takes no credentials."""
    return _rest_connection(cloud, "marketplace", cloud.marketplace, None)


def _rest_connection(
    cloud: Cloud, service: Service, endpoint: Endpoint, credentials: Credentials | None
) -> ServiceConnection:
    with _shared_lock:
        connection = _shared.get((id(cloud), service))
        if connection is None:
            connection = _shared[id(cloud), service] = ServiceConnection(
                cloud, service, endpoint, credentials
            )
        return connection


def _keep_as_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _nowhere(_: requests.Response) -> None:
    """Follow no redirect."""


def _redirect_target(response: requests.Response) -> str | None:
    """Return where a redirect leads, None if it leads nowhere; the rest of the answer may have no end."""
    if not response.is_redirect:
        return None
    try:
        target = urljoin(response.url, response.headers["Location"].encode("latin-1").decode())
        leads_on = urlsplit(target).scheme in ("http", "https")
    except ValueError:
        return None
    if not leads_on:
        return None
    response.close()
    return target


def _identity(credentials: Credentials | None) -> str:
    if isinstance(credentials, Password):
        return f"the password of {credentials.username!r}"
    return "the certificate"
