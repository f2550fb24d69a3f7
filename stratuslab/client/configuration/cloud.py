"""The settings of one cloud, as every service takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from stratuslab.client.configuration.endpoints import (
    AuthPrefix,
    Endpoint,
    EndpointError,
    compute_endpoint,
    compute_endpoint_below,
    host_endpoint,
    opennebula_endpoint,
)
from stratuslab.client.errors import ConfigurationError
from stratuslab.client.frames import without_frames

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "DEFAULT_INSTANCE_TYPE",
    "DEFAULT_TIMEOUT",
    "MAX_TIMEOUT",
    "STANDARD_INSTANCE_TYPES",
    "CertificateFiles",
    "Cloud",
    "ContextMethod",
    "Credentials",
    "InstanceType",
    "Password",
]

DEFAULT_INSTANCE_TYPE = "m1.small"
DEFAULT_TIMEOUT = 60.0
MAX_TIMEOUT = 2_000_000
"""Seconds; sockets count milliseconds in 31 bits."""

ContextMethod = Literal["one", "cloud-init"]


@dataclass(frozen=True)
class InstanceType:
    """What a VM of this type gets: CPUs, RAM and swap in MiB."""

    name: str
    cpu: int
    ram_mib: int
    swap_mib: int


STANDARD_INSTANCE_TYPES: Mapping[str, InstanceType] = {
    kind.name: kind
    for kind in (
        InstanceType("t1.micro", 1, 512, 512),
        InstanceType("m1.small", 1, 1536, 1536),
        InstanceType("m1.medium", 1, 3072, 3072),
        InstanceType("m1.large", 2, 6144, 6144),
        InstanceType("m1.xlarge", 4, 8192, 8192),
        InstanceType("c1.medium", 2, 1536, 1536),
        InstanceType("c1.xlarge", 4, 6144, 6144),
    )
}


@dataclass(frozen=True)
class Password:
    """User name and password. The password is in no ``repr``."""

    username: str
    password: str = field(repr=False)

    prefix: AuthPrefix = field(default="pswd", init=False, repr=False)


@dataclass(frozen=True)
class CertificateFiles:
    """PEM files of a certificate and its key, or twice the file of a grid proxy."""

    certificate: Path
    key: Path

    prefix: AuthPrefix = field(default="cert", init=False, repr=False)


Credentials = Password | CertificateFiles


@dataclass(frozen=True, eq=False)
class Cloud:
    """The settings of one cloud: what the constructor of every service takes.

    ``location`` is the section's name; ``name`` and ``country`` are for people. ``source`` says where the
    settings come from, for messages. ``pdisk`` is None where there is no PDisk service. ``timeout``,
    ``retry_delay`` and ``backoff`` mean the same as for a Libcloud driver; the first two are in seconds.
    """

    location: str
    name: str
    country: str
    source: str
    compute: Endpoint
    credentials: Credentials
    pdisk: Endpoint | None
    pdisk_credentials: Credentials
    marketplace: Endpoint
    instance_types: Mapping[str, InstanceType] = field(default_factory=lambda: STANDARD_INSTANCE_TYPES)
    default_instance_type: str = DEFAULT_INSTANCE_TYPE
    context_method: ContextMethod = "one"
    public_key_file: Path | None = None
    private_key_file: Path | None = None
    verify_tls: bool = True
    ca_certificate: Path | None = None
    timeout: float = DEFAULT_TIMEOUT
    proxy_url: str | None = field(default=None, repr=False)
    retry_delay: float | None = None
    backoff: float | None = None
    default_network: str | None = None
    default_datastore: str | None = None

    def required_pdisk(self) -> Endpoint:
        """Return where PDisk is.

        :raises ConfigurationError: if the settings do not say.
        """
        if self.pdisk is None:
            raise ConfigurationError(
                f"{self.source}, key pdisk_endpoint: is missing; "
                "an OpenNebula front end without StratusLab's proxy has no volumes"
            )
        return self.pdisk

    @classmethod
    @without_frames
    def at_host(
        cls, host: str, *, username: str, password: str, port: int | None = None, secure: bool = True
    ) -> Cloud:
        """Return the settings of the cloud at ``host``, without any file.

        ``host`` is a name, or a URL below which ``one-proxy``, ``pdisk`` and ``marketplace`` lie.
        ``localhost`` or ``127.0.0.1`` alone, port 2633 anywhere, and the path ``/RPC2`` are an OpenNebula
        front end without StratusLab's proxy.

        :raises ConfigurationError: for a wrong ``host``, or if the password would travel over plain http.
        """
        if ":" in username:
            raise ConfigurationError("the user name holds a colon, which HTTP does not allow in user names")
        credentials = Password(username, password)
        try:
            base = host_endpoint(host, port=port, secure=secure)
            if port is None and host.rstrip("/").lower() in ("localhost", "127.0.0.1"):
                compute = compute_endpoint(host, credentials.prefix)
            else:
                compute = compute_endpoint_below(base, credentials.prefix)
        except EndpointError as error:
            raise ConfigurationError(f"the argument host {error}") from None
        if not compute.private:
            raise ConfigurationError(
                f"the argument host: {base.host} would be reached by plain http, which shows your password "
                "to everybody on the way; use https, or a configuration file with allow_plain_http = true"
            )
        folder = base.path.removesuffix("/RPC2")
        return cls(
            location=base.host,
            name=base.host,
            country="unknown",
            source="the arguments host, key and secret",
            compute=compute,
            credentials=credentials,
            pdisk=None if compute.direct else base.at(f"{folder}/pdisk"),
            pdisk_credentials=credentials,
            marketplace=base.at(f"{folder}/marketplace"),
        )

    @classmethod
    @without_frames
    def at_opennebula(
        cls,
        host: str,
        *,
        username: str,
        password: str,
        port: int | None = None,
        secure: bool = True,
        allow_plain_http: bool = False,
    ) -> Cloud:
        """Return the settings of the OpenNebula front end at ``host``, without any file.

        ``host`` is a name, to which port 2633 and the path ``/RPC2`` are added, or a URL.

        :raises ConfigurationError: for a wrong ``host``, or if the password would travel over plain http.
        """
        if ":" in username:
            raise ConfigurationError(
                "the user name holds a colon, which OpenNebula does not allow in user names"
            )
        try:
            compute = opennebula_endpoint(host, port=port, secure=secure)
        except EndpointError as error:
            raise ConfigurationError(f"the argument host {error}") from None
        if not (compute.private or allow_plain_http):
            raise ConfigurationError(
                f"the argument host: {compute.host} would be reached by plain http, which shows your "
                "password to everybody on the way; use https, or give ex_allow_plain_http=True if you "
                "accept that"
            )
        credentials = Password(username, password)
        return cls(
            location=compute.host,
            name=compute.host,
            country="unknown",
            source="the arguments host, key and secret",
            compute=compute,
            credentials=credentials,
            pdisk=None,
            pdisk_credentials=credentials,
            marketplace=compute.at("/marketplace"),
        )
