"""Every exception of the package; :mod:`stratuslab.client.error_codes` has the tables from codes to them.

All are :class:`StratusLabError` and therefore Libcloud's ``LibcloudError``. Where Libcloud or
``requests`` has an exception for the same thing, ours is that exception too, so that existing
``except`` clauses keep working::

    StratusLabError                 LibcloudError
    +-- ConfigurationError          ValueError
    +-- InvalidArgumentError        ValueError
    +-- NotOfferedError             NotImplementedError           this kind of cloud does not have it
    |   +-- ArgumentNotOfferedError InvalidArgumentError
    +-- UnreachableError            requests.ConnectionError      nothing was sent
    |   +-- ConnectTimeoutError     requests.ConnectTimeout
    |   +-- TlsError                requests.exceptions.SSLError
    +-- AnswerLostError             requests.ConnectionError      sent, perhaps carried out
    |   +-- AnswerTimeoutError      requests.ReadTimeout
    |   +-- UnsettledError                                        looked for, and not found
    +-- MalformedAnswerError        MalformedResponseError
    +-- DuplicateError                                            made twice
    +-- WaitError                                                 a node that was waited for failed
    |   +-- WaitTimeoutError                                      it was not there in time
    +-- NodesNotCreatedError                                      some of several
    +-- LocationsError                                            several locations, some failed
    +-- ServiceError                ProviderError                 the service said no
        +-- CredentialsError        InvalidCredsError
        +-- ForbiddenError
        |   +-- QuotaError                                        a limit is reached
        +-- NotFoundError
        +-- ConflictError
        +-- BadRequestError
        +-- NotSupportedError
        +-- UnavailableError        ServiceUnavailableError

No message, ``repr`` or cause holds a password, a key or a session string.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from libcloud.common.types import (
    InvalidCredsError,
    LibcloudError,
    MalformedResponseError,
    ProviderError,
    ServiceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "AnswerLostError",
    "AnswerTimeoutError",
    "ArgumentNotOfferedError",
    "BadRequestError",
    "ConfigurationError",
    "ConflictError",
    "ConnectTimeoutError",
    "CredentialsError",
    "DuplicateError",
    "ForbiddenError",
    "InvalidArgumentError",
    "LocationsError",
    "MalformedAnswerError",
    "NodesNotCreatedError",
    "NotFoundError",
    "NotOfferedError",
    "NotSupportedError",
    "QuotaError",
    "ServiceError",
    "StratusLabError",
    "TlsError",
    "UnavailableError",
    "UnreachableError",
    "UnsettledError",
    "WaitError",
    "WaitTimeoutError",
    "is_temporary",
    "outcome_unknown",
    "refused_by_status",
]


class StratusLabError(LibcloudError):
    """Something that this package could not do.

    ``location`` and ``operation`` say where and what, as far as known; ``errors`` (location to
    exception) and ``nodes`` are filled when the failing call was over locations.
    """

    def __init__(self, message: str, *, location: str | None = None, operation: str | None = None) -> None:
        where = ": ".join(
            part for part in (location and f"location {location!r}", operation) if part is not None
        )
        Exception.__init__(self, message)
        self.message = message
        self.location = location
        self.operation = operation
        self.value = f"{where}: {message}" if where else message
        self.driver = None
        self.errors: Mapping[str, StratusLabError] = {}
        self.nodes: Sequence[Any] = []

    def __str__(self) -> str:
        return self.value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.__dict__ | {"errors": {}, "nodes": []})


def _restore(cls: type[StratusLabError], state: dict[str, Any]) -> StratusLabError:
    error = cls.__new__(cls)
    Exception.__init__(error, state["message"])
    error.__dict__.update(state)
    return error


class ConfigurationError(StratusLabError, ValueError):
    """A configuration file, or a key in it, is missing or wrong."""


class InvalidArgumentError(StratusLabError, ValueError):
    """An argument was refused before anything was sent.

    ``argument`` is its name as the caller wrote it, None where there is no single one; ``problem`` says
    what was found and what would be right.
    """

    def __init__(
        self,
        problem: str,
        *,
        argument: str | None = None,
        location: str | None = None,
        operation: str | None = None,
    ) -> None:
        message = f"the argument {argument}: {problem}" if argument else problem
        super().__init__(message, location=location, operation=operation)
        self.argument = argument
        self.problem = problem


class NotOfferedError(StratusLabError, NotImplementedError):
    """This kind of cloud does not have what was asked for; the text says why. Nothing was sent."""


class ArgumentNotOfferedError(NotOfferedError, InvalidArgumentError):
    """An argument asks for what this kind of cloud does not have. Nothing was sent."""


class UnreachableError(StratusLabError, requests.exceptions.ConnectionError):
    """No connection to the service could be made: the request was not sent."""

    request = response = None


class ConnectTimeoutError(UnreachableError, requests.exceptions.ConnectTimeout):
    """No connection to the service could be made in time: the request was not sent."""


class TlsError(UnreachableError, requests.exceptions.SSLError):
    """The connection could not be made secure: the request was not sent."""


class AnswerLostError(StratusLabError, requests.exceptions.ConnectionError):
    """The connection broke before the whole answer had come: the request may have been carried out."""

    request = response = None


class AnswerTimeoutError(AnswerLostError, requests.exceptions.ReadTimeout):
    """The answer did not come in time: the request may have been carried out."""


class UnsettledError(AnswerLostError):
    """Something may have been made, but was not found when looked for: it may still appear.

    ``token`` is its mark, with which it can be found later: a VM with the driver's ``ex_find_node``, a volume
    by its ``extra["identifier"]``.
    """

    def __init__(
        self, message: str, *, location: str | None = None, operation: str | None = None, token: str
    ) -> None:
        super().__init__(message, location=location, operation=operation)
        self.token = token


class DuplicateError(StratusLabError):
    """Several VMs or disks have the same token: a request was delivered twice.

    ``token`` is their token, ``ids`` are their ids. All of them exist and use resources.
    """

    def __init__(
        self,
        message: str,
        *,
        location: str | None = None,
        operation: str | None = None,
        token: str,
        ids: list[str],
    ) -> None:
        super().__init__(message, location=location, operation=operation)
        self.token = token
        self.ids = ids


class MalformedAnswerError(StratusLabError, MalformedResponseError):
    """The answer is not what the protocol says. ``body`` is always None: it may hold anything."""

    body = None


class WaitError(StratusLabError):
    """A node that was waited for has failed or ended: the message has the state of all, and the reasons.

    ``nodes`` are all that were waited for, as last seen.
    """

    def __init__(self, message: str, *, operation: str | None = None, nodes: Sequence[Any] = ()) -> None:
        super().__init__(message, operation=operation)
        self.nodes = list(nodes)


class WaitTimeoutError(WaitError):
    """Not all nodes were in the wanted state within the time-out; they may still reach it."""


class NodesNotCreatedError(StratusLabError):
    """Some of several nodes were not created: ``nodes`` were, ``failures`` are the errors of the others."""

    def __init__(self, message: str, *, nodes: Sequence[Any], failures: Sequence[StratusLabError]) -> None:
        super().__init__(message, operation="ex_create_nodes")
        self.nodes = list(nodes)
        self.failures = list(failures)


class LocationsError(StratusLabError):
    """Some of several locations failed: ``errors`` names each, ``nodes`` holds what the others gave."""

    def __init__(self, operation: str, errors: Mapping[str, StratusLabError], nodes: Sequence[Any]) -> None:
        listing = "; ".join(f"{location}: {error.message}" for location, error in errors.items())
        super().__init__(f"{len(errors)} location(s) failed: {listing}", operation=operation)
        self.errors = dict(errors)
        self.nodes = list(nodes)


class ServiceError(StratusLabError, ProviderError):
    """The service answered that it could not or would not do it.

    ``http_code`` is the HTTP status, or for an OpenNebula error code its nearest HTTP status;
    ``code`` is OpenNebula's error code or None.
    """

    http_code = 500

    def __init__(
        self,
        message: str,
        *,
        location: str | None = None,
        operation: str | None = None,
        http_code: int | None = None,
        code: int | None = None,
    ) -> None:
        super().__init__(message, location=location, operation=operation)
        self.http_code = type(self).http_code if http_code is None else http_code
        self.code = code


class CredentialsError(ServiceError, InvalidCredsError):
    """The user name, password or certificate was refused."""

    http_code = 401


class ForbiddenError(ServiceError):
    """The user is known but is not allowed to do this."""

    http_code = 403


class QuotaError(ForbiddenError):
    """A limit of the user or the group is reached; the text says which. It is not a question of rights."""


class NotFoundError(ServiceError):
    """There is no such VM, disk or image (or no longer)."""

    http_code = 404


class ConflictError(ServiceError):
    """The VM or disk is in a state in which this cannot be done."""

    http_code = 409


class BadRequestError(ServiceError):
    """The service did not accept an argument."""

    http_code = 400


class NotSupportedError(ServiceError):
    """This front end does not know the call."""

    http_code = 501


class UnavailableError(ServiceError, ServiceUnavailableError):
    """The service is there, but cannot answer now."""

    http_code = 503


PROXY_FAULT = 0
"""The number of the faults of StratusLab's proxy, for example when it lost OpenNebula's answer."""


def outcome_unknown(error: StratusLabError) -> bool:
    """Return whether a call that failed so may have been carried out.

    That is so when the answer was lost or unreadable, and when something between us and the service
    answered in its place. A refusal by OpenNebula itself, with its code, is not one of these.
    """
    if isinstance(error, ServiceError):
        return _in_place_of_the_service(error) and not refused_by_status(error)
    return isinstance(error, (AnswerLostError, MalformedAnswerError))


def refused_by_status(error: StratusLabError) -> bool:
    """Return whether a status alone says that a call was not carried out, whoever gave it."""
    return (
        isinstance(error, ServiceError) and _in_place_of_the_service(error) and 300 <= error.http_code < 500
    )


def _in_place_of_the_service(error: ServiceError) -> bool:
    return error.code is None or error.code == PROXY_FAULT


def is_temporary(error: StratusLabError) -> bool:
    """Return whether a failed reading may succeed later, for example after a restart of the service.

    Until the service runs again, the proxy or web server in front of it answers, or its own answers are
    incomplete.
    """
    if isinstance(error, LocationsError):
        return all(is_temporary(failure) for failure in error.errors.values())
    if isinstance(error, ServiceError):
        not_there_yet = type(error) is ServiceError and error.http_code == 404
        return _in_place_of_the_service(error) and (
            not_there_yet or error.http_code in (408, 429) or error.http_code >= 500
        )
    lasting = isinstance(error, TlsError)
    return isinstance(error, (UnreachableError, AnswerLostError, MalformedAnswerError)) and not lasting
