"""The control below `/_sandbox/`: what programs look at and turn, in any language and any process, as JSON.

    GET    /_sandbox/state       the time, and what is in the clouds
    GET    /_sandbox/log         the requests; DELETE forgets them
    GET    /_sandbox/faults      the faults; DELETE removes them all
    POST   /_sandbox/faults      {"rule": RULE} adds one
    DELETE /_sandbox/faults/ID   removes one
    POST   /_sandbox/clock       {"stop": true} and {"step": SECONDS}
    POST   /_sandbox/vms/fail    {"location": NAME, "id": ID, "message": TEXT} lets a VM fail
    POST   /_sandbox/images/state     {"location": NAME, "id": ID, "state": STATE} (4 is LOCKED)
    POST   /_sandbox/datastores/free  {"location": NAME, "id": ID, "free_mb": MIB} changes its free space

The last two are for OpenNebula from 5.12 on.
Everything but a GET needs the content type application/json. An error is `{"error": TEXT}`.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from werkzeug.exceptions import BadRequest, HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

from stratuslab.sandbox.http import browser_guard
from stratuslab.sandbox.opennebula_location import OpenNebulaLocation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from werkzeug.wrappers import Request

    from stratuslab.sandbox.clock import Clock
    from stratuslab.sandbox.faults.active_faults import ActiveFault, Faults
    from stratuslab.sandbox.http.request_log import RequestLog
    from stratuslab.sandbox.location import Location

CONTROL = "_sandbox"
"""The first segment of the paths; no location has such a name."""

_T = TypeVar("_T")


class Control:
    """Answers the requests below `/_sandbox/`. Thread-safe."""

    def __init__(
        self,
        locations: Mapping[str, Location | OpenNebulaLocation],
        clock: Clock,
        request_log: RequestLog,
        faults: Faults,
    ) -> None:
        self._locations = locations
        self._clock = clock
        self._request_log = request_log
        self._faults = faults
        self._router = _RESOURCES.bind("localhost")

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        refusal = browser_guard.refusal_of_change(request)
        if refusal is not None:
            return refusal
        try:
            answer, values = self._router.match(request.path, request.method)
            response: Response = answer(self, request, **values)
        except HTTPException as error:
            response = error.get_response(request.environ)
            response.data = json.dumps({"error": error.description})
        response.content_type = "application/json"
        response.headers["Cache-Control"] = "no-store"
        return response

    def _state(self, _request: Request) -> Response:
        locations = {name: location.contents() for name, location in self._locations.items()}
        return _json({"now": self._clock.now(), "locations": locations})

    def _log(self, _request: Request) -> Response:
        return _json([asdict(request) for request in self._request_log])

    def _forget_log(self, _request: Request) -> Response:
        self._request_log.clear()
        return _json([])

    def _list_faults(self, _request: Request) -> Response:
        return _json([_described(fault) for fault in self._faults])

    def _add_fault(self, request: Request) -> Response:
        rule = _field(_body(request), "rule", str)
        try:
            fault = self._faults.add(rule)
        except ValueError as error:
            raise BadRequest(str(error)) from error
        return _json(_described(fault), HTTPStatus.CREATED)

    def _remove_faults(self, _request: Request) -> Response:
        self._faults.clear()
        return _json([])

    def _remove_fault(self, request: Request, fault_id: int) -> Response:
        try:
            self._faults.remove(fault_id)
        except KeyError:
            raise NotFound(f"There is no fault {fault_id}.") from None
        return self._list_faults(request)

    def _turn_clock(self, request: Request) -> Response:
        body = _body(request)
        step = body.get("step", 0)
        if not isinstance(step, (int, float)) or not 0 <= step < math.inf:
            raise BadRequest('"step" is a number of seconds from 0 upwards.')
        if _field({"stop": False, **body}, "stop", bool):
            self._clock.stop()
        self._clock.step(step)
        return _json({"now": self._clock.now()})

    def _fail_vm(self, request: Request) -> Response:
        body = _body(request)
        name = _field(body, "location", str)
        if name not in self._locations:
            raise NotFound(f"There is no location {name!r}.")
        location = self._locations[name]
        return _changed(location, "VM", location.oned.fail, body, _field(body, "message", str))

    def _put_image(self, request: Request) -> Response:
        body = _body(request)
        location = self._current(body)
        return _changed(location, "image", location.oned.set_image_state, body, _field(body, "state", int))

    def _free_datastore(self, request: Request) -> Response:
        body = _body(request)
        location, mebibytes = self._current(body), _field(body, "free_mb", int)
        return _changed(location, "datastore", location.oned.set_free_space, body, mebibytes)

    def _current(self, body: Mapping[str, object]) -> OpenNebulaLocation:
        name = _field(body, "location", str)
        location = self._locations.get(name)
        if not isinstance(location, OpenNebulaLocation):
            raise NotFound(f"There is no location {name!r} of OpenNebula from 5.12 on.")
        return location


_RESOURCES = Map(
    [
        Rule(f"/{CONTROL}{path}", methods=[method], endpoint=answer)
        for path, method, answer in (
            ("/state", "GET", Control._state),
            ("/log", "GET", Control._log),
            ("/log", "DELETE", Control._forget_log),
            ("/faults", "GET", Control._list_faults),
            ("/faults", "POST", Control._add_fault),
            ("/faults", "DELETE", Control._remove_faults),
            ("/faults/<int:fault_id>", "DELETE", Control._remove_fault),
            ("/clock", "POST", Control._turn_clock),
            ("/vms/fail", "POST", Control._fail_vm),
            ("/images/state", "POST", Control._put_image),
            ("/datastores/free", "POST", Control._free_datastore),
        )
    ],
    strict_slashes=False,
    merge_slashes=False,
)
"""What answers at which path, for all clouds of a process: to make it takes longer than to start one."""


def _changed(
    location: Location | OpenNebulaLocation,
    kind: str,
    change: Callable[[int, _T], None],
    body: Mapping[str, object],
    value: _T,
) -> Response:
    object_id = _field(body, "id", int)
    try:
        change(object_id, value)
    except KeyError:
        raise NotFound(f"There is no {kind} {object_id} at {location.name}.") from None
    return _json(location.contents())


def _described(fault: ActiveFault) -> dict[str, object]:
    return {"id": fault.id, "rule": str(fault.fault), "matched": fault.matched, "fired": fault.fired}


def _body(request: Request) -> Mapping[str, object]:
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise BadRequest("The body is no JSON object.")
    return body


def _field(body: Mapping[str, object], name: str, kind: type[_T]) -> _T:
    value = body.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BadRequest(f'"{name}" is missing, or of the wrong type.')
    return value


def _json(content: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(json.dumps(content) + "\n", status)
