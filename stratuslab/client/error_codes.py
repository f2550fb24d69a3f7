"""Which exception a code of a service is: HTTP statuses, OpenNebula's codes and texts, XML-RPC faults."""

from __future__ import annotations

import re

from stratuslab.client.errors import (
    BadRequestError,
    ConflictError,
    CredentialsError,
    ForbiddenError,
    NotFoundError,
    NotSupportedError,
    QuotaError,
    ServiceError,
    UnavailableError,
)

__all__ = ["NO_EXISTS", "error_of_code", "error_of_fault", "error_of_status"]

_BY_STATUS: dict[int, type[ServiceError]] = {
    400: BadRequestError,
    401: CredentialsError,
    403: ForbiddenError,
    404: NotFoundError,
    405: NotSupportedError,
    409: ConflictError,
    411: BadRequestError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}

NO_EXISTS = 1024
"""OpenNebula's code for a number that nothing has."""

_BY_CODE: dict[int, type[ServiceError]] = {
    256: CredentialsError,
    512: ForbiddenError,
    NO_EXISTS: NotFoundError,
    2048: ConflictError,
    4096: BadRequestError,
}
_FORBIDDEN = 512
_INTERNAL, _ALLOCATE = 8192, 16384
_QUOTA = re.compile(r"limit of \S+ reached for \S+ quota")

_BY_FAULT: dict[int, type[ServiceError]] = {
    -501: BadRequestError,
    -503: BadRequestError,
    -506: NotSupportedError,
}

# Why nothing was made: one.vm.allocate says so with the first of these codes, the others with the second.
_BY_REASON: tuple[tuple[str, type[ServiceError]], ...] = (
    ("is already taken by", ConflictError),
    ("in state", ConflictError),
    ("Cannot acquire image", ConflictError),
    ("VM has to be", ConflictError),
    ("Cannot get IP/MAC lease", ConflictError),
    (" does not exist", NotFoundError),
    (" does not own a", NotFoundError),
)

# OpenNebula 2.2 sends no code: only its texts tell.
_BY_TEXT: tuple[tuple[str, type[ServiceError]], ...] = (
    ("couldn't be authenticated", CredentialsError),
    ("not authorized", ForbiddenError),
    ("Error getting VM", NotFoundError),
    ("Wrong state", ConflictError),
    ("Unknown action", BadRequestError),
)


def error_of_status(status: int) -> type[ServiceError]:
    """Return the exception class of an HTTP status of 300 and more."""
    return _BY_STATUS.get(status, ServiceError)


def error_of_code(code: int | None, text: str) -> type[ServiceError]:
    """Return the exception class of an OpenNebula error code, or where there is none, of its text."""
    if code == _FORBIDDEN and _QUOTA.search(text):
        return QuotaError
    if code in (_INTERNAL, _ALLOCATE):
        other = ServiceError if code == _INTERNAL else BadRequestError
        return next((cls for fragment, cls in _BY_REASON if fragment in text), other)
    if code is not None:
        return _BY_CODE.get(code, ServiceError)
    return next((cls for fragment, cls in _BY_TEXT if fragment in text), ServiceError)


def error_of_fault(code: int) -> type[ServiceError]:
    """Return the exception class of an XML-RPC fault code."""
    return _BY_FAULT.get(code, ServiceError)
