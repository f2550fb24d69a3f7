"""The user's configuration file: one :class:`~stratuslab.client.configuration.cloud.Cloud` a section.

The format is that of StratusLab 14.06: INI with a mandatory ``[default]`` section from which the
others inherit, ``selected_section`` in it, ``[instance_types]``, and ``%%`` for a percent sign.
"""

from __future__ import annotations

import configparser
import logging
import math
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from stratuslab.client.configuration.cloud import (
    DEFAULT_INSTANCE_TYPE,
    DEFAULT_TIMEOUT,
    MAX_TIMEOUT,
    STANDARD_INSTANCE_TYPES,
    CertificateFiles,
    Cloud,
    ContextMethod,
    Credentials,
    InstanceType,
    Password,
)
from stratuslab.client.configuration.endpoints import (
    Endpoint,
    EndpointError,
    compute_endpoint,
    marketplace_endpoint,
    pdisk_endpoint,
    pdisk_value_beside,
)
from stratuslab.client.configuration.grid_proxy import grid_proxy, holds_private_key
from stratuslab.client.configuration.keys import warn_of_unknown_keys
from stratuslab.client.errors import ConfigurationError
from stratuslab.client.frames import without_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

logger = logging.getLogger(__name__)

__all__ = ["DEFAULT_CONFIG_FILE", "DEFAULT_MARKETPLACE", "UserConfigurator"]

DEFAULT_CONFIG_FILE = "~/.stratuslab/stratuslab-user.cfg"
DEFAULT_MARKETPLACE = "https://marketplace.stratuslab.eu"

_DEFAULT = "default"
_INSTANCE_TYPES = "instance_types"
_MINUS_OR_POINT = re.compile(r"-[0-9]|\.[0-9]")
_THREE_NUMBERS = re.compile(r"\D*([0-9]{1,9})\D+([0-9]{1,9})\D+([0-9]{1,9})\D*", re.ASCII)


class UserConfigurator:
    """The user's configuration, read once and completely when this object is made.

    ``source`` is a file name or a file object; without it the file named by the environment variable
    ``STRATUSLAB_CONFIG``, else ``~/.stratuslab/stratuslab-user.cfg``. What a section says is checked when
    :meth:`cloud` is asked for that section.

    :raises ConfigurationError: if there is no such file, if it is not INI, or has no ``[default]`` section.
    """

    @without_frames
    def __init__(self, source: str | os.PathLike[str] | IO[str] | IO[bytes] | None = None) -> None:
        self.source, text = _read(source)
        self._parser = _parse(self.source, text)
        if not self._parser.has_section(_DEFAULT):
            raise ConfigurationError(f"{self.source} has no [default] section; add one")

    def __repr__(self) -> str:
        return f"UserConfigurator({self.source!r})"

    @property
    def selected_location(self) -> str:
        """The section named by ``selected_section``, or ``default``."""
        return self._section(_DEFAULT).text("selected_section") or _DEFAULT

    def locations(self, default: str | None = None) -> list[str]:
        """Return the names of the sections that are clouds, in the order of the file.

        ``[default]`` is one only when it is the default location: ``default``, or without it
        :attr:`selected_location`.

        :raises ConfigurationError: if the default location is not a section.
        """
        names = [name for name in self._parser.sections() if name != _INSTANCE_TYPES]
        chosen = default or self.selected_location
        if chosen not in names:
            asked = "the default location"
            if not default:
                asked = f"{self.source}, section [default], key selected_section"
            raise ConfigurationError(
                f"{asked}: found {chosen!r}, which is not a section of {self.source}; "
                f"its sections are {', '.join(names)}"
            )
        return [name for name in names if name != _DEFAULT or chosen == _DEFAULT]

    def display_name(self, location: str) -> str:
        """Return the key ``name`` of a section without its quotes, else the section's name."""
        return _unquote(self._section(location).own("name")) or location

    def country(self, location: str) -> str:
        """Return the key ``country`` of a section without its quotes, else ``unknown``."""
        return _unquote(self._section(location).text("country")) or "unknown"

    def instance_types(self) -> dict[str, InstanceType]:
        """Return the standard instance types and those of the file, by name.

        :raises ConfigurationError: for an entry that does not hold three numbers.
        """
        return dict(_InstanceTypes(self._parser, self.source))

    @without_frames
    def cloud(self, location: str) -> Cloud:
        """Return the settings of one section.

        :raises ConfigurationError: for a value that is missing or wrong; it names file, section and key.
        """
        if location == _INSTANCE_TYPES or not self._parser.has_section(location):
            raise ConfigurationError(f"{self.source} has no section [{location}]; give one of locations()")
        section = self._section(location)
        for name in dict.fromkeys((location, _DEFAULT)):
            warn_of_unknown_keys(self.source, name, self._parser.options(name))
        credentials = section.credentials()
        pdisk_credentials = section.pdisk_credentials() or credentials
        value = section.text("endpoint")
        if value is None:
            raise section.error(
                "endpoint", "is missing; write where the cloud is: https://cloud.example.org/one-proxy/xmlrpc"
            )
        compute = section.endpoint(
            "endpoint", lambda: compute_endpoint(value, credentials.prefix), credentials
        )
        pdisk_value = section.text("pdisk_endpoint") or pdisk_value_beside(value)
        marketplace_value = section.text("marketplace_endpoint") or DEFAULT_MARKETPLACE
        instance_types = _InstanceTypes(self._parser, self.source)
        return Cloud(
            location=location,
            name=self.display_name(location),
            country=self.country(location),
            source=f"{self.source}, section [{location}]",
            compute=compute,
            credentials=credentials,
            pdisk=section.endpoint("pdisk_endpoint", lambda: pdisk_endpoint(pdisk_value), pdisk_credentials)
            if pdisk_value
            else None,
            pdisk_credentials=pdisk_credentials,
            marketplace=section.endpoint(
                "marketplace_endpoint", lambda: marketplace_endpoint(marketplace_value)
            ),
            instance_types=instance_types,
            default_instance_type=section.choice(
                "default_instance_type", instance_types, DEFAULT_INSTANCE_TYPE
            ),
            context_method=section.context_method(),
            public_key_file=section.path("user_public_key_file"),
            private_key_file=section.path("user_private_key_file"),
            verify_tls=section.boolean("verify_tls", otherwise=True),
            ca_certificate=section.existing_file("ca_certificate"),
            timeout=section.seconds("endpoint_timeout", DEFAULT_TIMEOUT),
            default_network=section.text("default_network"),
            default_datastore=section.text("default_datastore"),
        )

    def _section(self, name: str) -> _Section:
        return _Section(self._parser, self.source, name)


class _Section:
    """The values of a section, each checked, and refused with file, section and key."""

    def __init__(self, parser: configparser.ConfigParser, source: str, name: str) -> None:
        self._parser = parser
        self._source = source
        self._name = name

    def error(self, key: str, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{self._source}, section [{self._name}], key {key}: {problem}")

    def own(self, key: str) -> str | None:
        """Return the section's own value; a missing or an empty one is None."""
        try:
            return self._parser.get(self._name, key, fallback="").strip() or None
        except configparser.InterpolationError:
            problem = "holds a single percent sign; write %% for a percent sign"
        raise self.error(key, problem)

    def text(self, key: str) -> str | None:
        """Return the section's value, or where it has no such key the one of ``[default]``."""
        if self._name == _DEFAULT or self._parser.has_option(self._name, key):
            return self.own(key)
        return _Section(self._parser, self._source, _DEFAULT).own(key)

    def credentials(self) -> Credentials:
        password = self._password("username", "password")
        if password:
            return password
        certificate = self.existing_file("pem_certificate")
        key = self.existing_file("pem_key")
        if certificate is None and key is None:
            certificate = grid_proxy()
        if certificate and not key and holds_private_key(certificate):
            key = certificate
        if certificate and key:
            return CertificateFiles(certificate, key)
        if certificate or key:
            missing = "pem_key" if certificate else "pem_certificate"
            raise self.error(missing, "is missing; a PEM certificate and its key go together")
        raise self.error(
            "username", "is missing; write username and password, or pem_certificate and pem_key"
        )

    def pdisk_credentials(self) -> Credentials | None:
        return self._password("pdisk_username", "pdisk_password")

    def _password(self, username_key: str, password_key: str) -> Password | None:
        username = self.text(username_key)
        password = self.text(password_key)
        if not username and not password:
            return None
        if not username or not password:
            missing = password_key if username else username_key
            raise self.error(missing, f"is missing; {username_key} and {password_key} go together")
        if ":" in username:
            raise self.error(username_key, "holds a colon, which HTTP does not allow in user names")
        return Password(username, password)

    def endpoint(
        self, key: str, read: Callable[[], Endpoint], credentials: Credentials | None = None
    ) -> Endpoint:
        try:
            found = read()
        except EndpointError as error:
            raise self.error(key, str(error)) from None
        if isinstance(credentials, CertificateFiles) and not found.secure:
            raise self.error(key, "is not https; a certificate can only be shown over https")
        if credentials and not found.private and not self.boolean("allow_plain_http", otherwise=False):
            raise self.error(
                key,
                "is plain http, which shows your password to everybody on the way; "
                "write https, or allow_plain_http = true if you accept that",
            )
        return found

    def instance_type(self, name: str) -> InstanceType:
        text = self.own(name) or ""
        found = _THREE_NUMBERS.fullmatch(text)
        cpu, ram, swap = map(int, found.groups()) if found and not _MINUS_OR_POINT.search(text) else (0, 0, 0)
        if cpu < 1 or ram < 1:
            raise self.error(
                name, f"found {text!r}; write CPUs, RAM in MiB and swap in MiB, as in 1, 2048, 1024"
            )
        return InstanceType(name, cpu, ram, swap)

    def context_method(self) -> ContextMethod:
        found = self.choice("default_context_method", ("one", "cloud-init"), "one")
        return "cloud-init" if found == "cloud-init" else "one"

    def choice(self, key: str, choices: Collection[str], otherwise: str) -> str:
        found = (self.text(key) or otherwise).lower()
        if found not in choices:
            raise self.error(key, f"found {found!r}; use one of {', '.join(choices)}")
        return found

    def boolean(self, key: str, *, otherwise: bool) -> bool:
        found = self.text(key)
        if found is None:
            return otherwise
        try:
            return self._parser.BOOLEAN_STATES[found.lower()]
        except KeyError:
            raise self.error(key, f"found {found!r}; use true or false") from None

    def seconds(self, key: str, otherwise: float) -> float:
        found = self.text(key) or str(otherwise)
        try:
            seconds = float(found)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds <= MAX_TIMEOUT:
            raise self.error(key, f"found {found!r}; write a number of seconds above 0, up to {MAX_TIMEOUT}")
        return seconds

    def path(self, key: str) -> Path | None:
        found = self.text(key)
        return _expanded(found) if found else None

    def existing_file(self, key: str) -> Path | None:
        path = self.path(key)
        try:
            missing = path is not None and not path.exists()
        except OSError as error:
            raise self.error(key, f"found {str(path)!r}; it cannot be read: {error.strerror}") from None
        if missing:
            raise self.error(key, f"found {str(path)!r}; there is no such file")
        return path


class _InstanceTypes(Mapping[str, InstanceType]):
    """The standard instance types and those of the file, each read when it is asked for.

    So a wrong entry is an error only for those who use its type.
    """

    def __init__(self, parser: configparser.ConfigParser, source: str) -> None:
        self._section = _Section(parser, source, _INSTANCE_TYPES)
        self._own: list[str] = []
        if parser.has_section(_INSTANCE_TYPES):
            self._own = [name for name in parser.options(_INSTANCE_TYPES) if name not in parser.defaults()]

    def __repr__(self) -> str:
        return repr(list(self))

    def __getitem__(self, name: str) -> InstanceType:
        return self._section.instance_type(name) if name in self._own else STANDARD_INSTANCE_TYPES[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in STANDARD_INSTANCE_TYPES

    def __iter__(self) -> Iterator[str]:
        return iter({**STANDARD_INSTANCE_TYPES, **dict.fromkeys(self._own)})

    def __len__(self) -> int:
        return len({*STANDARD_INSTANCE_TYPES, *self._own})


def _expanded(path: str | os.PathLike[str]) -> Path:
    """Return the path with ``~`` replaced by the user's folder; unchanged if there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def _read(source: str | os.PathLike[str] | IO[str] | IO[bytes] | None) -> tuple[str, str]:
    """Return the name of the source, for messages, and its text."""
    if source is None:
        source = os.environ.get("STRATUSLAB_CONFIG") or DEFAULT_CONFIG_FILE
    if isinstance(source, (str, os.PathLike)):
        path = _expanded(source)
        name = str(path)
        try:
            content: str | bytes = path.read_bytes()
            _warn_if_others_can_read(path)
        except FileNotFoundError:
            raise ConfigurationError(
                f"there is no configuration file {name}; `stratus-copy-config` writes one to start from"
            ) from None
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{name} cannot be read: {getattr(error, 'strerror', error)}") from error
    else:
        own_name = getattr(source, "name", None)
        name = own_name if isinstance(own_name, str) else "the configuration file"
        if not hasattr(source, "read"):
            found = type(source).__name__
            raise ConfigurationError(f"{name}: found a {found}; give a file name or an open file")
        try:
            content = source.read()
        except UnicodeDecodeError:
            raise ConfigurationError(f"{name} is not text in the encoding it was opened with") from None
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{name} cannot be read: {error}") from error
    try:
        text = content if isinstance(content, str) else content.decode()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{name} is not UTF-8 text; write it in UTF-8") from None
    return name, text.removeprefix("\ufeff")


def _warn_if_others_can_read(path: Path) -> None:
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("%s holds a password and others can read it; chmod 600 changes that", path)


def _parse(source: str, text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, inline_comment_prefixes=(";",))
    try:
        parser.read_string(text)
    except configparser.MissingSectionHeaderError as error:
        problem = f"line {error.lineno}: found a key before the first section; begin with [default]"
    except configparser.ParsingError as error:
        lines = ", ".join(str(number) for number, _ in error.errors)
        problem = f"line {lines}: found neither a [section] nor a comment nor key = value"
    else:
        return parser
    raise ConfigurationError(f"{source}, {problem}")


def _unquote(text: str | None) -> str | None:
    if text and len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text
