"""A StratusLab cloud on this machine."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from stratuslab.sandbox import defaults, fork
from stratuslab.sandbox.application import Application
from stratuslab.sandbox.clock import Clock
from stratuslab.sandbox.configuration import write_configuration
from stratuslab.sandbox.control import CONTROL, Control
from stratuslab.sandbox.dialect import DIALECTS
from stratuslab.sandbox.faults.active_faults import Faults
from stratuslab.sandbox.faults.injection import FaultInjector
from stratuslab.sandbox.guests.loopback_networks import loopback_networks
from stratuslab.sandbox.http.jetty import Accounts
from stratuslab.sandbox.http.request_log import RequestLog
from stratuslab.sandbox.http.server import Server
from stratuslab.sandbox.location import Location
from stratuslab.sandbox.opennebula.model.hosts import make_hosts
from stratuslab.sandbox.opennebula.model.networks import default_networks
from stratuslab.sandbox.opennebula_location import OpenNebulaLocation
from stratuslab.sandbox.options import check_hosts, check_port, check_users, kinds_of, listening_on, new_users
from stratuslab.sandbox.state.lasting_state import LastingState
from stratuslab.sandbox.welcome import export_line, first_program

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType

    from _typeshed.wsgi import WSGIApplication

    from stratuslab.sandbox.guests.ssh_servers import Guests
    from stratuslab.sandbox.http.certificate_authority import CertificateAuthority, CertificateFiles


class Sandbox:
    """One or more StratusLab clouds behind one HTTP server, and the configuration file for them.

    Started by `start` or a `with` statement. All that happens in the clouds is kept as long as the object
    lives, also when it is stopped and started again. `clock` is their time, `request_log` has what was asked
    of them, and `faults` what goes wrong on purpose.

    `locations`: the names of the clouds, each with its own VMs, disks and images. A name may have the kind of
        its cloud behind it, as in `lyon:opennebula-6.10`.
    `cloud`: the kind of all other clouds: `stratuslab` (release 14.06), `opennebula-5.12`, `opennebula-6.10`
        or `opennebula-7.4`. OpenNebula is at `/LOCATION/RPC2` and knows only `users`, by passwords or tokens.
    `users`: the passwords by user; everybody may log in at every location, the configuration file has the
        first one. By default `demo` and `guest`, with published passwords; with `ssh` their passwords are
        random, and the published ones are refused.
    `boot_seconds`: the time from the start of a VM until it is RUNNING; 0 means at the next look.
    `port`: where the server listens on 127.0.0.1; 0 for a free port.
    `hosts`: how many hosts each cloud has.
    `host_capacity`: the cores and the memory in MiB of each host: a VM that finds no room stays
        PENDING. By default there is room for any number of VMs.
    `dialect`: how the services word their answers, one of `DIALECTS`: as those of release 14.06, by default;
        `14.06-ungrouped`, where PDisk's sizes have no thousands separator; or `2015`, the state in which the
        development of the services ended.
    `state_file`: where everything that happens in the clouds is kept longer than this object lives. Each
        start brings back what the file has, and adds locations that it does not have.
    `tls`: whether the server speaks HTTPS, with a certificate of the sandbox's own authority, which the
        configuration file names. Users may then log in with a certificate of `issue_certificate`.
    `certificate`: the distinguished name of a user whose certificate is in the configuration file, instead
        of a name and a password; only with `tls`.
    `ssh`: whether there is an SSH server in each RUNNING VM, at an address that only this machine has
        (127.86.0.1 and so on). It accepts the key that the VM was created with, for any user name,
        and runs commands in a folder of the VM, WITH THE RIGHTS OF THIS PROCESS: it is not a jail. The
        volumes of the VM are files in there (`dev/vdz`). The folders are removed at the end. Linux only:
        macOS, for example, has no loopback address but 127.0.0.1.
    `ssh_port`: the port of all these servers; 0 for a free one, which is then in the attribute of that name.
    `clock`: the time of the clouds, by default that of this machine. It is put forward if it is behind that
        of the state file.
    `config_file`: the configuration file to make, which must not exist; by default one in a temporary
        directory. It is removed at the end.

    After a fork the sandbox is that of the parent. A child has its URLs and is a client like any other; it
    holds no socket of it, and `stop` or its own end leave the server and all files as they are.

    Raises ValueError for names, passwords, ports or times that are not possible.
    """

    def __init__(
        self,
        *,
        locations: Sequence[str] = defaults.LOCATIONS,
        cloud: str = defaults.CLOUD,
        users: Mapping[str, str] | None = None,
        boot_seconds: float = defaults.BOOT_SECONDS,
        hosts: int = defaults.HOSTS,
        host_capacity: tuple[int, int] | None = None,
        dialect: str = defaults.DIALECT,
        state_file: Path | None = None,
        port: int = 0,
        tls: bool = False,
        certificate: str | None = None,
        ssh: bool = False,
        ssh_port: int = 0,
        clock: Clock | None = None,
        config_file: Path | None = None,
    ) -> None:
        kinds = kinds_of(locations, cloud)
        check_port("port", port)
        check_port("ssh_port", ssh_port)
        if boot_seconds < 0:
            raise ValueError("boot_seconds is negative")
        check_hosts(hosts, host_capacity)
        if dialect not in DIALECTS:
            raise ValueError(f"{dialect!r} is no dialect: there are {', '.join(DIALECTS)}")
        if certificate is not None and not tls:
            raise ValueError("there are no certificates without TLS")
        if ssh_port and not ssh:
            raise ValueError("there is no SSH port without SSH")
        self._users = new_users(ssh=ssh) if users is None else dict(users)
        check_users(self._users, ssh=ssh)
        self.clock = Clock() if clock is None else clock
        self.request_log = RequestLog()
        self.faults = Faults(tuple(kinds))
        self._locations: dict[str, Location | OpenNebulaLocation] = {}
        for number, (name, kind) in enumerate(kinds.items()):
            own_hosts = make_hosts(name, hosts, host_capacity)
            networks = loopback_networks(number) if ssh else default_networks()
            self._locations[name] = (
                Location(name, self.clock, boot_seconds, own_hosts, networks)
                if kind == defaults.CLOUD
                else OpenNebulaLocation(
                    name, kind, self._users, self.clock, boot_seconds, own_hosts, networks
                )
            )
        self._dialect = DIALECTS[dialect]
        self._state_file = state_file
        self._port = port
        self._tls = tls
        self._certificate = certificate
        self._ssh = ssh
        self._ssh_port = ssh_port
        self._authority: CertificateAuthority | None = None
        self._requested_config_file = config_file
        self._config_file: Path | None = None
        self._resources = ExitStack()
        self._parts: list[fork.Abandonable] = []
        self._is_anothers = False

    @property
    def config_file(self) -> Path:
        """The configuration file; RuntimeError if the sandbox is not running."""
        if self._config_file is None:
            raise RuntimeError("the sandbox is not running")
        return self._config_file

    @property
    def url(self) -> str:
        """The URL of the server, without a slash at the end; RuntimeError if the sandbox is not running."""
        if self._config_file is None:
            raise RuntimeError("the sandbox is not running")
        return self._url_at(self._port)

    @property
    def control_url(self) -> str:
        """The URL of the control, which ends with a slash; RuntimeError if the sandbox is not running."""
        return f"{self.url}/{CONTROL}/"

    @property
    def endpoints(self) -> dict[str, dict[str, str]]:
        """The URLs by location and by their names in the configuration file.

        Those are endpoint and, of a StratusLab cloud, pdisk_endpoint and marketplace_endpoint. RuntimeError
        if the sandbox is not running.
        """
        return {name: location.endpoints(self.url) for name, location in self._locations.items()}

    @property
    def ca_certificate(self) -> Path | None:
        """The PEM file of the authority of the server's certificate; None unless it is running with TLS."""
        return self._authority.certificate if self._authority else None

    @property
    def ssh_port(self) -> int:
        """The port of the VMs' SSH servers, 0 without `ssh`; RuntimeError if the sandbox is not running."""
        if self._config_file is None:
            raise RuntimeError("the sandbox is not running")
        return self._ssh_port if self._ssh else 0

    def issue_certificate(self, dn: str) -> CertificateFiles:
        """Issue a client certificate; its holder is the user of that name at URLs with `/cert/`.

        `dn` is written as in `CN=Jane Tester,O=StratusLab,C=FR` (RFC 4514). The files are removed at the end.
        ValueError if it is not a distinguished name, RuntimeError unless the sandbox is running with `tls`.
        """
        if self._authority is None:
            raise RuntimeError("the sandbox is not running with TLS")
        return self._authority.issue_for_client(dn)

    def location(self, name: str) -> Location:
        """Return the StratusLab cloud of that name; KeyError if it does not exist."""
        location = self._locations[name]
        if not isinstance(location, Location):
            raise KeyError(name)
        return location

    def opennebula(self, name: str) -> OpenNebulaLocation:
        """Return the OpenNebula cloud of that name; KeyError if it does not exist."""
        location = self._locations[name]
        if not isinstance(location, OpenNebulaLocation):
            raise KeyError(name)
        return location

    def start(self) -> None:
        """Start the server and make the configuration file.

        RuntimeError if the sandbox is running already, also in the process from which this one was forked;
        OSError if a port is in use; FileExistsError if the configuration file exists already;
        StateFileError (an OSError) if the state file cannot be used;
        ValueError if `certificate` is not a distinguished name.
        """
        if self._config_file is not None:
            raise RuntimeError("the sandbox is running")
        if self._is_anothers:
            raise RuntimeError("the sandbox belongs to another process, from which this one was forked")
        injector = FaultInjector()
        parts: list[fork.Abandonable] = []
        with ExitStack() as resources:
            folder = Path(tempfile.mkdtemp(prefix="stratuslab-sandbox-"))
            resources.callback(fork.removal_of(folder, self))
            config_file = self._requested_config_file or folder / "stratuslab-user.cfg"
            application: WSGIApplication = Application(
                self._locations.values(),
                Accounts(self._users, welcomes_strangers=not self._ssh),
                self.request_log,
                self.faults,
                injector,
                Control(self._locations, self.clock, self.request_log, self.faults),
                self._dialect,
                self._connect_lines(config_file),
            )
            if self._state_file is not None:
                state = LastingState(self._state_file, self._locations.values(), self.clock)
                resources.callback(state.close)
                parts.append(state)
                application = state.committing(application)
            authority = _new_authority(folder) if self._tls else None
            tls_context = authority.server_context() if authority else None
            with listening_on(self._port):
                server = Server(application, self._port, tls_context)
            server.start()
            resources.callback(server.stop)
            parts.append(server)
            resources.callback(injector.interrupt)
            if self._ssh:
                with listening_on(self._ssh_port):
                    guests = _new_guests(self._locations.values(), folder, self._ssh_port)
                guests.start()
                resources.callback(guests.stop)
                parts.append(guests)
                self._ssh_port = guests.port
            url = self._url_at(server.server_port)
            sections = {
                name: {**location.settings(), **location.endpoints(url)}
                for name, location in self._locations.items()
            }
            write_configuration(config_file, self._account(authority), sections)
            resources.callback(config_file.unlink, missing_ok=True)
            self._resources = resources.pop_all()
        self._parts = parts
        fork.abandon_in_children(self)
        self._port = server.server_port
        self._authority = authority
        self._config_file = config_file

    def stop(self) -> None:
        """Stop the server, which keeps its port for another start, and remove the configuration file.

        In a forked child of the process that has started it, this changes nothing for the parent.
        """
        fork.keep_in_children(self)
        self._parts = []
        self._config_file = None
        self._authority = None
        self._resources.close()

    def abandon(self) -> None:
        """Leave all that runs and all files to the parent; called in a forked child."""
        self._is_anothers = True
        self._resources.pop_all()
        for part in self._parts:
            part.abandon()

    def _connect_lines(self, config_file: Path) -> list[str]:
        """Return what the web page says about connecting."""
        first = next(iter(self._locations.values()))
        return [export_line(config_file), "", *first_program([*first.endpoints("")])]

    def _url_at(self, port: int) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"

    def _account(self, authority: CertificateAuthority | None) -> dict[str, str]:
        username, password = next(iter(self._users.items()))
        account = {"username": username, "password": password}
        if authority is None:
            return account
        if self._certificate is not None:
            certificate, key = authority.issue_for_client(self._certificate)
            account = {"pem_certificate": str(certificate), "pem_key": str(key)}
        return {**account, "ca_certificate": str(authority.certificate)}

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Sandbox {', '.join(self._locations)}>"


def _new_guests(locations: Iterable[Location | OpenNebulaLocation], folder: Path, port: int) -> Guests:
    """Import what needs a package that nothing else needs."""
    from stratuslab.sandbox.guests.ssh_servers import Guests

    return Guests(locations, folder / "guests", port)


def _new_authority(folder: Path) -> CertificateAuthority:
    """Import what makes certificates only when it is needed; that takes longer than the whole start."""
    from stratuslab.sandbox.http.certificate_authority import CertificateAuthority

    return CertificateAuthority(folder)
