"""Where a service is: from every form that a configuration file may hold to one URL.

The forms are those of the 14.06 release and of its documentation: a bare host (the ports before
14.06), ``https://host``, a full URL, with or without trailing slash, with or without the ``pswd``
or ``cert`` that the client inserts by itself.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

__all__ = [
    "AuthPrefix",
    "Endpoint",
    "EndpointError",
    "compute_endpoint",
    "compute_endpoint_below",
    "host_endpoint",
    "marketplace_endpoint",
    "opennebula_endpoint",
    "pdisk_endpoint",
    "pdisk_value_beside",
]

AuthPrefix = Literal["pswd", "cert"]

_OLD_COMPUTE_PORT = 2634
_OLD_PDISK_PORT = 8445
_OPENNEBULA_PORT = 2633
_HTTPS_PORT = 443
_LAST_PORT = 65535
_HOST_NAME = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?")
_NO_URL = "is not a URL (ports go from 1 to 65535)"


class EndpointError(ValueError):
    """An address is wrong. The text says what was found and what would be right, never the value itself."""


@dataclass(frozen=True)
class Endpoint:
    """One service's address.

    ``host`` is as it stands in a URL (IPv6 in brackets), ``port`` is None for the scheme's own,
    ``path`` begins with a slash or is empty and does not end with one.
    """

    secure: bool
    host: str
    port: int | None
    path: str

    @property
    def url(self) -> str:
        """The address as text, without a trailing slash."""
        port = "" if self.port is None else f":{self.port}"
        return f"{'https' if self.secure else 'http'}://{self.host}{port}{self.path}"

    @property
    def address(self) -> str:
        """Host and port, the scheme's own if no other is given."""
        return f"{self.host}:{self.port or (443 if self.secure else 80)}"

    @property
    def direct(self) -> bool:
        """Whether this is an OpenNebula front end without StratusLab's proxy before it."""
        return self.path.endswith("/RPC2")

    @property
    def private(self) -> bool:
        """Whether nobody on the way can read what is sent: true for https, and for this machine itself."""
        name = self.host.strip("[]")
        if self.secure or name == "localhost":
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False

    def at(self, path: str) -> Endpoint:
        """Return the same host and port with another path."""
        return replace(self, path=path)


def compute_endpoint(value: str, prefix: AuthPrefix) -> Endpoint:
    """Return the XML-RPC address meant by the key ``endpoint``, with ``prefix`` in its place.

    :raises EndpointError: for a value in none of the known forms.
    """
    name = value.rstrip("/").lower()
    if name in ("localhost", "127.0.0.1"):
        return Endpoint(False, name, _OPENNEBULA_PORT, "/RPC2")
    bare = "://" not in value
    found = _split(f"https://{value}" if bare else value)
    if found.direct:
        return found
    if not found.path:
        if found.port == _OPENNEBULA_PORT:
            return found.at("/RPC2")
        if bare:
            found = replace(found, port=found.port or _OLD_COMPUTE_PORT)
        elif found.port != _OLD_COMPUTE_PORT:
            found = found.at("/one-proxy/xmlrpc")
    return _proxied(found, prefix)


def _proxied(found: Endpoint, prefix: AuthPrefix) -> Endpoint:
    segments = [segment for segment in found.path.split("/") if segment]
    if not segments or segments[-1] in ("one-proxy", "pswd", "cert"):
        segments.append("xmlrpc")
    *folders, last = segments
    if folders and folders[-1] in ("pswd", "cert"):
        folders.pop()
    return found.at("/" + "/".join([*folders, prefix, last]))


def host_endpoint(host: str, *, port: int | None = None, secure: bool = True) -> Endpoint:
    """Return the address of a host given by name, or by a URL below which its services lie.

    The URL may also be that of one of them, with ``one-proxy`` in it.

    :raises EndpointError: for a value in none of the known forms.
    """
    found = _split(host if "://" in host else f"{'https' if secure else 'http'}://{host}")
    if port is not None and not 0 < port <= _LAST_PORT:
        raise EndpointError(_NO_URL)
    folder, _, _ = f"{found.path}/".partition("/one-proxy/")
    return replace(found, port=port or found.port, path=folder.removesuffix("/"))


def opennebula_endpoint(host: str, *, port: int | None = None, secure: bool = True) -> Endpoint:
    """Return the address of OpenNebula's front end on a host given by name, or by a URL.

    Where there is no path, it is ``/RPC2``, and the port 2633 unless one is given.

    :raises EndpointError: if the host is neither.
    """
    found = host_endpoint(host, port=port, secure=secure)
    if found.direct:
        return found
    return replace(found, port=found.port or _OPENNEBULA_PORT, path=f"{found.path}/RPC2")


def compute_endpoint_below(base: Endpoint, prefix: AuthPrefix) -> Endpoint:
    """Return the XML-RPC address at ``base``: OpenNebula's own if port or path say so, else the proxy's."""
    if base.direct:
        return base
    if base.port == _OPENNEBULA_PORT:
        return base.at("/RPC2")
    return base.at(f"{base.path}/one-proxy/{prefix}/xmlrpc")


def pdisk_endpoint(value: str) -> Endpoint:
    """Return the base address meant by the key ``pdisk_endpoint``, without ``pswd`` or ``cert``.

    :raises EndpointError: for a value in none of the known forms.
    """
    if "://" not in value:
        bare = _split(f"https://{value}")
        found = Endpoint(True, bare.host, bare.port or _OLD_PDISK_PORT, bare.path)
    else:
        found = _split(value)
        if not found.path and found.port in (None, _HTTPS_PORT):
            found = found.at("/pdisk")
    path = found.path.removesuffix("/disks")
    return found.at(path.removesuffix("/pswd").removesuffix("/cert"))


def pdisk_value_beside(compute_value: str) -> str | None:
    """Return what ``pdisk_endpoint`` would be on the host of ``endpoint``, None where there is none.

    :raises EndpointError: for a value in none of the known forms.
    """
    found = compute_endpoint(compute_value, "pswd")
    if found.direct:
        return None
    if "://" not in compute_value:
        return found.host
    base, proxied, _ = found.path.partition("/one-proxy/")
    if proxied:
        return found.at(f"{base}/pdisk").url
    return Endpoint(found.secure, found.host, _OLD_PDISK_PORT, "").url


def marketplace_endpoint(value: str) -> Endpoint:
    """Return the base address (without ``/metadata``) meant by the key ``marketplace_endpoint``.

    :raises EndpointError: for a value in none of the known forms.
    """
    found = _split(value if "://" in value else f"https://{value}")
    return found.at(found.path.removesuffix("/metadata"))


def _split(url: str) -> Endpoint:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise EndpointError(_NO_URL) from None
    if port == 0 or parts.netloc.endswith(":"):
        raise EndpointError(_NO_URL)
    if url.endswith(("'", '"')):
        raise EndpointError("is in quotes; leave them out")
    if parts.scheme not in ("http", "https"):
        raise EndpointError(f"begins with {parts.scheme}://; use https:// (or http://)")
    if "@" in parts.netloc:
        raise EndpointError("holds a user name or password; put them into username and password")
    if parts.query or parts.fragment or any(character.isspace() for character in url):
        raise EndpointError("holds a space, a ? or a #; give scheme, host, port and path only")
    if not parts.hostname:
        raise EndpointError("names no host; write for example https://cloud.example.org/one-proxy/xmlrpc")
    if ":" not in parts.hostname and not _HOST_NAME.fullmatch(parts.hostname):
        raise EndpointError("has a host name that is not valid; write for example cloud.example.org")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = "/".join(["", *(segment for segment in parts.path.split("/") if segment)])
    return Endpoint(parts.scheme == "https", host, port, path)
