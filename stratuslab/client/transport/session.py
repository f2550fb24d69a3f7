"""Libcloud's connection as a service needs it: TLS, proxies, redirects and credentials.

``libcloud.security``, proxies, ``LIBCLOUD_DEBUG`` and ``enable_debug`` work as for any driver.
"""

from __future__ import annotations

import base64
import os
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urljoin, urlsplit

import requests
from libcloud import __version__ as libcloud_version
from libcloud.common.base import Connection, Response

from stratuslab.client.configuration.cloud import CertificateFiles, Cloud, Credentials, Password
from stratuslab.client.transport.covered import CoveredBody, CoveredText
from stratuslab.client.transport.deadline import keep_time
from stratuslab.client.transport.failures import MAX_REDIRECTS
from stratuslab.client.transport.redaction import Secrecy

if TYPE_CHECKING:
    import threading

    from stratuslab.client.configuration.endpoints import Endpoint

__all__ = ["Service", "ServiceSession"]

_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""Where the environment names a file of authorities; the first counts."""

Service = Literal["compute", "pdisk", "marketplace"]


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
        self.last_used = 0.0
        self.kept = False
        self.places: threading.Semaphore | None = None
        self._credentials = credentials
        self._secrecy = Secrecy(cloud)

    def another(self) -> ServiceSession:
        """Return a session like this one, with the proxy and the words of its user agent."""
        session = ServiceSession(self.cloud, self.service, self.endpoint, self._credentials)
        session.proxy_url = self.proxy_url
        session.ua = self.ua
        return session

    def connect(  # type: ignore[override]  # without keywords that nobody gives
        self, host: str | None = None, port: int | None = None, base_url: str | None = None
    ) -> None:
        """Make Libcloud's transport, which connects when it is first used."""
        super().connect(host, port, base_url)  # type: ignore[no-untyped-call]
        self._set_up_transport()

    @property
    def _transport(self) -> Any:
        if self.connection is None:
            self.connect()
        return self.connection

    def _set_up_transport(self) -> None:
        transport: Any = self.connection
        self._cover_proxy_password()
        follows = self.service == "marketplace"
        transport.session = _Session(transport.session, self._login(), follows=follows)
        keep_time(transport.session)
        if isinstance(self._credentials, CertificateFiles):
            # Libcloud's own way, an adapter, shows no certificate through a proxy.
            transport.session.cert = (str(self._credentials.certificate), str(self._credentials.key))
        if not self.cloud.verify_tls:
            transport.verify, transport.ca_cert = False, None
        elif self.cloud.ca_certificate:
            transport.verify, transport.ca_cert = True, str(self.cloud.ca_certificate)
        if transport.verification is True:
            transport.ca_cert = next(filter(None, map(os.environ.get, _AUTHORITIES)), None)
        # Where redirects are followed, each host may have another proxy.
        if not follows or self.proxy_url:
            self._read_proxy_once()

    def _read_proxy_once(self) -> None:
        """Take proxies from the environment now.

        ``requests`` would do so at every request, and would use that proxy instead of the one that Libcloud
        was given.
        """
        session = self._transport.session
        if not self.proxy_url:
            session.proxies = session.merge_environment_settings(self.endpoint.url, {}, None, True, None)[
                "proxies"
            ]
        session.trust_env = False

    def set_http_proxy(self, proxy_url: str) -> None:
        """Send the requests through a proxy, as ``http://proxy:3128`` or ``http://user:password@proxy:3128``."""
        _ = self._transport
        super().set_http_proxy(proxy_url)  # type: ignore[no-untyped-call]
        self._cover_proxy_password()

    def _cover_proxy_password(self) -> None:
        """Hide the password that Libcloud's transport keeps only for its debug log."""
        transport: Any = self.connection
        transport.proxy_password = transport.proxy_password and CoveredText(transport.proxy_password)

    def send(
        self,
        method: str,
        path: str,
        *,
        body: CoveredBody | None,
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
            data=body,
            headers=headers,
            method=method,
            stream=True,
            retry_failed=None if repeatable else False,
        ).response
        # Libcloud's reference to the answer would keep the connection.
        self._transport.response = None
        self.kept = not self.endpoint.direct
        return response

    def hang_up(self) -> None:
        """Close the connection; the next request makes another."""
        self.kept = False
        if self.connection is not None:
            self._transport.response = None
            self._transport.session.close()

    def missing_file(self) -> str | None:
        """Return the file of certificates or of a key that is not there; ``requests`` stops at it."""
        files = (self._transport.verification, *(self._transport.session.cert or ()))
        return next((file for file in files if isinstance(file, str) and not Path(file).exists()), None)

    def _login(self) -> _Login | None:
        """Return the object that adds the credentials. OpenNebula's own port takes them in the call."""
        if isinstance(self._credentials, Password) and not self.endpoint.direct:
            return _Login(self._credentials)
        return None

    def morph_action_hook(self, action: str) -> str:
        """Return the path as it is: ids in it were quoted where they were put in."""
        return action

    def add_default_headers(self, headers: dict[str, str]) -> dict[str, str]:
        """Ask OpenNebula's own port to close the connection: idle ones would keep it waiting.

        Libcloud's debug log shows asterisks for the credentials, which :class:`_Login` adds.
        """
        if self._login():
            headers["Authorization"] = "***"
        if self.endpoint.direct:
            headers["Connection"] = "close"
        return headers

    def _user_agent(self) -> str:
        tokens = "".join(f" ({token})" for token in self.ua)
        return f"libcloud/{libcloud_version} (StratusLab){tokens}"


class _Login:
    """Adds the credentials, at once and not after a refusal: a POST cannot be sent twice."""

    def __init__(self, credentials: Password) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        pair = CoveredText(f"{self._credentials.username}:{self._credentials.password}").encode()
        request.headers["Authorization"] = CoveredText(f"Basic {base64.b64encode(pair).decode('ascii')}")
        return request


class _Session(requests.Session):
    """A session that follows redirects only where no credentials are sent, and then with care."""

    def __init__(self, libclouds: requests.Session, login: _Login | None, *, follows: bool) -> None:
        super().__init__()
        self.proxies = libclouds.proxies
        self.timeout: float = getattr(libclouds, "timeout", 0)
        self.max_redirects = MAX_REDIRECTS
        # Without any, requests would take one from ~/.netrc.
        self.auth = login or _as_it_is
        self._follows = follows

    def get_redirect_target(self, response: requests.Response) -> str | None:
        """Return where a redirect leads, None if it leads nowhere; the rest of the answer may have no end."""
        if not self._follows or not response.is_redirect:
            return None
        try:
            target = urljoin(response.url, response.headers["Location"].encode("latin-1").decode())
            scheme = urlsplit(target).scheme
        except ValueError:
            return None
        if scheme != "https" and (scheme != "http" or urlsplit(response.url).scheme == "https"):
            return None
        response.close()
        return target

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Give a redirected request the name of its new host."""
        prepared_request.headers.pop("Host", None)
        super().rebuild_auth(prepared_request, response)

    def rebuild_proxies(
        self, prepared_request: requests.PreparedRequest, proxies: dict[str, str] | None
    ) -> Any:
        """Return the proxies of a redirected request."""
        url = prepared_request.url or ""
        return (
            {} if self.trust_env and _is_loopback(url) else super().rebuild_proxies(prepared_request, proxies)
        )

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return the settings of a request. A loopback address goes through no proxy of the environment."""
        settings = super().merge_environment_settings(url, proxies, stream, verify, cert)
        if self.trust_env and _is_loopback(str(url)):
            settings["proxies"] = {}
        return settings


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")
