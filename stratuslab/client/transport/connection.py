"""Requests to one service of one cloud: their time, their repetition, and what can go wrong on the way."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

import requests

from stratuslab.client.errors import AnswerTimeoutError, StratusLabError, UnreachableError
from stratuslab.client.transport.covered import CoveredBody
from stratuslab.client.transport.deadline import until
from stratuslab.client.transport.failures import Failures, identity_of, worst_of
from stratuslab.client.transport.pool import SessionPool
from stratuslab.client.transport.redaction import Secrecy
from stratuslab.client.transport.retry import (
    MAX_REPEATS,
    TEMPORARY_STATUSES,
    may_repeat_after,
    pause_before,
    seconds_of,
)
from stratuslab.client.transport.session import ServiceSession
from stratuslab.client.transport.xml_document import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stratuslab.client.configuration.cloud import Cloud, Credentials
    from stratuslab.client.configuration.endpoints import Endpoint
    from stratuslab.client.errors import MalformedAnswerError, ServiceError
    from stratuslab.client.transport.session import Service

__all__ = ["MAX_ANSWER_BYTES", "MAX_WHOLE_ANSWER_BYTES", "HttpAnswer", "Request", "ServiceConnection"]

logger = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 128 * 1024 * 1024
MAX_WHOLE_ANSWER_BYTES = 16 * 1024 * 1024
"""An answer that is held whole takes several times as much memory; the longest one is a list of disks."""
_CHUNK_BYTES = 64 * 1024
_LEAST_TIMEOUT = 0.001
_SLOW = 0.25
"""The part of the time-out after which an answer counts as slow."""


@dataclass(frozen=True)
class Request:
    """What is asked of a service.

    ``operation`` is what errors call it; ``path`` comes after the endpoint's. A ``repeatable`` request is
    sent again as :mod:`stratuslab.client.transport.retry` says, any other never. With ``reader``, the body of
    a 200 goes piece by piece to the object that ``reader`` returns, a new one each time that the request is
    sent; the answer then has no body.
    """

    operation: str
    method: str
    path: str = ""
    body: bytes | None = field(default=None, repr=False)
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    reader: Callable[[], Callable[[bytes], None]] | None = field(default=None, repr=False)


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


class ServiceConnection:
    """The way to one service of one cloud. It connects when it is first used; threads may share it.

    ``session`` is Libcloud's connection; the connections that carry the requests are made like it.
    """

    def __init__(
        self, cloud: Cloud, service: Service, endpoint: Endpoint, credentials: Credentials | None
    ) -> None:
        self.cloud = cloud
        self.endpoint = endpoint
        self.session = ServiceSession(cloud, service, endpoint, credentials)
        self._failures = Failures(cloud, service, endpoint, credentials)
        self._secrecy = Secrecy(cloud)
        self._pool = SessionPool(self.session.another)
        if endpoint.secure and not cloud.verify_tls:
            logger.warning(
                "location %r: the certificate of the %s service is not verified (verify_tls = false)",
                cloud.location,
                service,
            )

    def close(self) -> None:
        """Close all connections, those in use when their requests are done. Later requests make new ones."""
        self._pool.close()
        self.session.hang_up()

    def exchange(self, request: Request) -> HttpAnswer:
        """Send a request and return the whole answer, whatever its status.

        After several tries, the error says the worst that may be true of all of them.

        :raises UnreachableError: if the request was not sent.
        :raises AnswerLostError: if the request was sent and its answer did not come whole.
        :raises MalformedAnswerError: if the answer is not HTTP, or is too long.
        """
        deadline = time.monotonic() + self.cloud.timeout
        repeats = MAX_REPEATS if request.repeatable else 0
        repeat = 0
        repeated = False
        while True:
            try:
                answer = self._send(request, deadline)
            except StratusLabError as error:
                pause = pause_before(repeat, None)
                in_time = time.monotonic() + pause < deadline
                if repeat == repeats or not in_time or not may_repeat_after(error):
                    worst = worst_of(error, repeated=repeated)
                    if worst is error:
                        raise
                    raise worst from error
                repeated = repeated or not isinstance(error, UnreachableError)
            else:
                pause = pause_before(repeat, answer.retry_after)
                in_time = time.monotonic() + pause < deadline
                if repeat == repeats or not in_time or answer.status not in TEMPORARY_STATUSES:
                    return replace(answer, repeated=repeated or answer.repeated)
                repeated = True
            time.sleep(pause)
            repeat += 1

    def _send(self, request: Request, deadline: float) -> HttpAnswer:
        operation = request.operation
        session = self._borrow(request, deadline)
        kept = session.kept
        begun = time.monotonic()
        in_order = False
        # An answer that does not come on a kept connection may come on a new one.
        early = begun + (deadline - begun) / 2 if kept else deadline
        try:
            with until(early) as progress:
                try:
                    response = session.send(
                        request.method,
                        request.path,
                        body=None if request.body is None else CoveredBody.of(request.body, self._secrecy),
                        params=dict(request.params),
                        headers=dict(request.headers),
                        timeout=max(early - time.monotonic(), _LEAST_TIMEOUT),
                        repeatable=request.repeatable,
                    )
                    answer = self._read(request, response, early)
                    # After a slow try the next one gets a new connection, and with it the whole time-out.
                    in_order = time.monotonic() - begun < self.cloud.timeout * _SLOW
                except requests.RequestException as error:
                    failure = self._failures.of_exception(operation, error, sent=progress.sent)
                    failure.__cause__ = self._failures.without_secrets(error)
                except DocumentError as error:
                    failure = self.malformed(operation, str(error))
                except ValueError as error:
                    failure = self._failures.unusable(operation, error, sent=progress.sent)
                except OSError as error:
                    missing = session.missing_file()
                    if missing is None:
                        raise
                    raise self._failures.no_tls(operation, f"there is no file {missing}") from error
                else:
                    return answer
        finally:
            self._pool.give_back(session, keep=in_order and session.kept)
            if kept and not in_order:
                self._pool.hang_up()
        try:
            if kept and isinstance(failure, AnswerTimeoutError):
                return self._repeat(request, deadline)
            # Raised here and not where it was caught: the context would be a library's text, which may quote
            # the server.
            raise failure
        finally:
            # A frame that holds its own error would keep our sockets until the garbage collector runs.
            del failure

    def _repeat(self, request: Request, deadline: float) -> HttpAnswer:
        """Repeat a request whose first try was given up and may have been carried out."""
        try:
            return replace(self._send(request, deadline), repeated=True)
        except StratusLabError as error:
            worst = worst_of(error, repeated=True)
            if worst is error:
                raise
            raise worst from error

    def _borrow(self, request: Request, deadline: float) -> ServiceSession:
        """Return a session that no other thread is using.

        What may be sent only once has a new connection: an old one may be dead, or still hold an answer to
        something else.
        """
        session = self._pool.borrow(deadline - time.monotonic(), fresh=not request.repeatable)
        if session is None:
            raise self._failures.not_in_time(request.operation, "other requests did not end")
        if session.proxy_url != self.session.proxy_url:
            self._pool.give_back(session, keep=False)
            self._pool.hang_up()
            return self._borrow(request, deadline)
        if time.monotonic() >= deadline:
            self._pool.give_back(session, keep=session.kept)
            raise self._failures.not_in_time(request.operation, "other requests took the time")
        return session

    def _read(self, request: Request, response: requests.Response, deadline: float) -> HttpAnswer:
        chunks: list[bytes] = []
        keep, limit = chunks.append, MAX_WHOLE_ANSWER_BYTES
        if request.reader and response.status_code == HTTPStatus.OK:
            keep, limit = request.reader(), MAX_ANSWER_BYTES
        size = 0
        with response:
            if response.status_code < HTTPStatus.OK:
                problem = f"the status {response.status_code} is not that of an answer"
                raise self.malformed(request.operation, problem)
            if "," in response.headers.get("Content-Encoding", ""):
                # Each time may make a piece a thousand times larger in memory, before it can be measured.
                raise self.malformed(request.operation, "it is compressed more than once")
            for chunk in response.iter_content(_CHUNK_BYTES):
                keep(chunk)
                size += len(chunk)
                if size > limit:
                    raise self.malformed(request.operation, f"it is longer than {limit >> 20} MiB")
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

    def malformed(self, operation: str, problem: str) -> MalformedAnswerError:
        """Return the error for an answer that is not what the protocol says.

        It may be the answer to another request: what is connected now is not used any more.
        """
        self._pool.hang_up()
        return self._failures.malformed(operation, problem)

    def pass_over(self, operation: str, left_out: Sequence[str], *, read: int) -> None:
        """Warn of entries of a list that could not be read, while ``read`` others could.

        :raises MalformedAnswerError: if no entry could be read.
        """
        if left_out and not read:
            raise self.malformed(operation, left_out[0])
        for entry in left_out:
            logger.warning(
                "location %r: %s: left out %s", self.cloud.location, operation, self.quotable(entry)
            )

    def refused(self, operation: str, answer: HttpAnswer, message: str | None = None) -> ServiceError:
        """Return the error for a status that does not mean success.

        ``message`` is the service's own text, if it gave one.
        """
        return self._failures.refused(operation, answer.status, answer.reason, message)

    @property
    def identity(self) -> str:
        """Whom the service sees, in the words of errors."""
        return identity_of(self.cloud.credentials)

    def quotable(self, text: str) -> str:
        """Return a server's text as it may be shown, without our secrets."""
        return self._failures.quotable(text)
