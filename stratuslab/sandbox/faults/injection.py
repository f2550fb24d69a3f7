"""How a request fails: each fault wraps what would have answered it."""

from __future__ import annotations

import threading
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from stratuslab.sandbox.faults.action import (
    ContentType,
    CutAfter,
    CutAt,
    CutBefore,
    Delay,
    DriverFailure,
    Garbage,
    OneError,
    Redirect,
    Status,
    XmlRpcFault,
)
from stratuslab.sandbox.http.connection_cut import cut
from stratuslab.sandbox.http.jetty import error_page
from stratuslab.sandbox.opennebula.oned_server import DRIVER_FAILURE
from stratuslab.sandbox.xmlrpc.call import XmlRpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from werkzeug.wrappers import Request

    from stratuslab.sandbox.faults.action import Action
    from stratuslab.sandbox.faults.rule import Fault
    from stratuslab.sandbox.opennebula.one_proxy import OneProxy
    from stratuslab.sandbox.opennebula.oned_server import OnedServer

    Compute: TypeAlias = OneProxy | OnedServer | None
    Answer: TypeAlias = Callable[[], Response]

_GARBAGE = bytes(range(255, -1, -1))


class FaultInjector:
    """Lets requests fail. Thread-safe."""

    def __init__(self) -> None:
        self._interrupted = threading.Event()

    def interrupt(self) -> None:
        """End all delays, also those to come."""
        self._interrupted.set()

    def answer(
        self,
        faults: Sequence[Fault],
        request: Request,
        carry_out: Answer,
        compute: Compute,
    ) -> Response:
        """Answer a request with its faults; each stands before those that follow it.

        `carry_out` answers it without faults. `compute` is the server of a call, None if it is none.
        """
        answer = carry_out
        for fault in reversed(faults):
            answer = partial(self._under, fault.action, request, answer, compute)
        return answer()

    def _under(self, action: Action, request: Request, answer: Answer, compute: Compute) -> Response:
        match action:
            case CutBefore():
                return _cut(Response(), request)
            case CutAfter():
                return _cut(answer(), request)
            case CutAt(body_bytes):
                response = answer()
                return _cut(response, request, min(body_bytes, max(len(response.get_data()) - 1, 0)))
            case Delay(seconds, carried_out=True):
                response = answer()
                self._interrupted.wait(seconds)
                return response
            case Delay(seconds):
                self._interrupted.wait(seconds)
            case Status(carried_out=True):
                answer()
                return _status(action, request)
            case Status():
                return _status(action, request)
            case OneError(code, text) if compute:
                return compute.answer(request, [False, text, code])
            case XmlRpcFault(code, text) if compute:
                return compute.fault(request, XmlRpcError(code, text))
            case Redirect(url):
                return Response(status=HTTPStatus.FOUND, headers={"Location": url})
            case Garbage():
                return _garbled(answer())
            case DriverFailure(stage):
                request.environ[DRIVER_FAILURE] = stage
            case ContentType(media_type):
                response = answer()
                response.headers["Content-Type"] = media_type
                return response
        return answer()


def _cut(response: Response, request: Request, body_bytes: int | None = None) -> Response:
    cut(request.environ, body_bytes)
    return response


def _status(status: Status, request: Request) -> Response:
    if status.text is None:
        response = error_page(HTTPStatus(status.code), request)
    else:
        response = Response(status.text, status.code, content_type=status.media_type)
    if status.retry_after is not None:
        response.headers["Retry-After"] = str(status.retry_after)
    return response


def _garbled(response: Response) -> Response:
    response.headers.pop("Content-Encoding", None)
    response.data = _GARBAGE
    return response
