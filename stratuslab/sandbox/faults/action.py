"""What goes wrong with a request."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias

_DAY = 24 * 60 * 60
_WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
DEFAULT_MEDIA_TYPE = "text/plain; charset=utf-8"
DEFAULT_TEXT = "Fault on purpose"


@dataclass(frozen=True)
class Delay:
    """The service takes this many more seconds of real time, before or after it carries the request out."""

    seconds: float
    carried_out: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.seconds <= _DAY:
            raise ValueError(f"a delay is from 0 to {_DAY} seconds")


@dataclass(frozen=True)
class CutBefore:
    """The connection is cut without an answer; the request is not carried out."""


@dataclass(frozen=True)
class CutAfter:
    """The connection is cut without an answer, after the request was carried out."""


@dataclass(frozen=True)
class CutAt:
    """The connection is cut after the head and this many bytes of the answer's body.

    The last byte never arrives, however many are allowed. The request is carried out.
    """

    body_bytes: int

    def __post_init__(self) -> None:
        if self.body_bytes < 0:
            raise ValueError("an answer cannot be cut before its beginning")


@dataclass(frozen=True)
class Status:
    """An HTTP status is the answer, instead of carrying the request out or (a gateway's time-out) after it.

    The body is `text` of the type `media_type`; without a text it is Jetty's page for the status.
    `retry_after` is in seconds.
    """

    code: int
    carried_out: bool = False
    retry_after: int | None = None
    media_type: str = DEFAULT_MEDIA_TYPE
    text: str | None = None

    def __post_init__(self) -> None:
        if self.code < HTTPStatus.OK or self.code in _WITHOUT_BODY or self.code not in [*HTTPStatus]:
            raise ValueError(f"{self.code} is no HTTP status of an answer with a body")
        if self.retry_after is not None and self.retry_after < 0:
            raise ValueError("retry-after is a number of seconds from 0 upwards")
        _check_media_type(self.media_type)


@dataclass(frozen=True)
class OneError:
    """OpenNebula refuses a call with a code and a text, and does not carry it out."""

    code: int
    text: str = DEFAULT_TEXT


@dataclass(frozen=True)
class XmlRpcFault:
    """A call is answered with a fault of XML-RPC, and not carried out."""

    code: int
    text: str = DEFAULT_TEXT


@dataclass(frozen=True)
class Garbage:
    """The body of the answer is neither text nor XML nor JSON; the request is carried out."""


@dataclass(frozen=True)
class ContentType:
    """The request is carried out; the answer has this wrong content type."""

    media_type: str

    def __post_init__(self) -> None:
        _check_media_type(self.media_type)


@dataclass(frozen=True)
class Redirect:
    """The client is sent to another URL (302); the request is not carried out."""

    url: str

    def __post_init__(self) -> None:
        if not _is_header(self.url):
            raise ValueError(f"{self.url!r} cannot stand in a header")


@dataclass(frozen=True)
class DriverFailure:
    """OpenNebula accepts a call, and the driver that is to carry it out fails later, without an answer.

    `stage` is where: `prolog`, `boot`, `shutdown`, `poweroff`, `save` or `epilog`; `fails` is the first one
    on the way. With `hangs` the driver never ends. OpenNebula 3.2 takes no notice.
    """

    stage: str

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise ValueError(f"{self.stage!r} is nothing that a driver does; give {', '.join(STAGES)}")


STAGES = ("fails", "hangs", "prolog", "boot", "shutdown", "poweroff", "save", "epilog")

Action: TypeAlias = (
    Delay
    | CutBefore
    | CutAfter
    | CutAt
    | Status
    | OneError
    | XmlRpcFault
    | Garbage
    | ContentType
    | Redirect
    | DriverFailure
)


def _check_media_type(text: str) -> None:
    if not _is_header(text) or ":" in text:
        raise ValueError(f"{text!r} is no media type")


def _is_header(text: str) -> bool:
    return text != "" and text.isascii() and text.isprintable()
