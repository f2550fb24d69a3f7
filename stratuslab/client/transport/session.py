"""Libcloud's connection as a service needs it: TLS, proxies, redirects and credentials.

``libcloud.security``, proxies, ``LIBCLOUD_DEBUG`` and ``enable_debug`` work as for any driver.
"""

from __future__ import annotations

import base64
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urljoin, urlsplit

from libcloud import __version__ as libcloud_version
from libcloud.common.base import Connection, Response

from stratuslab.client.configuration.cloud import CertificateFiles, Cloud, Credentials, Password
from stratuslab.client.transport.deadline import keep_time
from stratuslab.client.transport.failures import MAX_REDIRECTS
from stratuslab.client.transport.redaction import Secrecy

if TYPE_CHECKING:
    import requests

    from stratuslab.client.configuration.endpoints import Endpoint

__all__ = ["Service", "ServiceSession"]

logger = logging.getLogger(__name__)

Service = Literal["compute", "pdisk", "marketplace"]


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


class ServiceSession(Connection):
    """Libcloud's connection to one service of one cloud. It connects when it is first used.

    It is for one thread at a time: Libcloud's class would otherwise give one thread's answer to another.
    """

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
        transport.session.max_redirects = MAX_REDIRECTS
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

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None,
        params: dict[str, str],
        headers: dict[str, str],
        timeout: float,
        repeatable: bool,
    ) -> requests.Response:
        """Send a request, and return its answer of which the body is not yet read."""
        self._transport.session.timeout = timeout
        response: requests.Response = self.request(  # type: ignore[no-untyped-call]
            self.endpoint.path + path,
            params=params,
            data=None if body is None else _CoveredBody.of(body, self._secrecy),
            headers=headers,
            method=method,
            stream=True,
            retry_failed=None if repeatable else False,
        ).response
        return response

    def end(self) -> None:
        """Note that the answer was read: OpenNebula's own port keeps no connection."""
        if self.endpoint.direct:
            # Libcloud's reference to the answer would keep the connection.
            self._transport.response = None
            self._transport.session.close()

    def missing_file(self) -> str | None:
        """Return the file of certificates or of a key that is not there; ``requests`` stops at it."""
        files = (self._transport.verification, *(self._transport.session.cert or ()))
        return next((file for file in files if isinstance(file, str) and not Path(file).exists()), None)

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
