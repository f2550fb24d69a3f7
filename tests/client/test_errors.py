from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import requests
from libcloud.common.types import (
    InvalidCredsError,
    LibcloudError,
    MalformedResponseError,
    ProviderError,
    ServiceUnavailableError,
)

from stratuslab.client import errors
from stratuslab.client.error_codes import error_of_code, error_of_fault, error_of_status
from stratuslab.client.errors import (
    AnswerLostError,
    AnswerTimeoutError,
    ArgumentNotOfferedError,
    BadRequestError,
    ConfigurationError,
    ConflictError,
    ConnectTimeoutError,
    CredentialsError,
    DuplicateError,
    ForbiddenError,
    InvalidArgumentError,
    LocationsError,
    MalformedAnswerError,
    NodesNotCreatedError,
    NotFoundError,
    NotOfferedError,
    NotSupportedError,
    QuotaError,
    ServiceError,
    StratusLabError,
    TlsError,
    UnavailableError,
    UnreachableError,
    UnsettledError,
    WaitError,
    WaitTimeoutError,
    is_temporary,
    outcome_unknown,
)

if TYPE_CHECKING:
    from collections.abc import Callable


ALSO: dict[type[StratusLabError], list[type[Exception]]] = {
    StratusLabError: [LibcloudError],
    ConfigurationError: [StratusLabError, ValueError],
    InvalidArgumentError: [StratusLabError, ValueError],
    NotOfferedError: [StratusLabError, NotImplementedError],
    ArgumentNotOfferedError: [NotOfferedError, InvalidArgumentError],
    UnreachableError: [StratusLabError, requests.ConnectionError, OSError],
    ConnectTimeoutError: [UnreachableError, requests.ConnectTimeout, requests.Timeout],
    TlsError: [UnreachableError, requests.exceptions.SSLError],
    AnswerLostError: [StratusLabError, requests.ConnectionError, OSError],
    AnswerTimeoutError: [AnswerLostError, requests.ReadTimeout, requests.Timeout],
    UnsettledError: [AnswerLostError],
    MalformedAnswerError: [StratusLabError, MalformedResponseError],
    DuplicateError: [StratusLabError],
    WaitError: [StratusLabError],
    WaitTimeoutError: [WaitError],
    NodesNotCreatedError: [StratusLabError],
    LocationsError: [StratusLabError],
    ServiceError: [StratusLabError, ProviderError],
    CredentialsError: [ServiceError, InvalidCredsError],
    ForbiddenError: [ServiceError],
    QuotaError: [ForbiddenError],
    NotFoundError: [ServiceError],
    ConflictError: [ServiceError],
    BadRequestError: [ServiceError],
    NotSupportedError: [ServiceError],
    UnavailableError: [ServiceError, ServiceUnavailableError],
}

HTTP_CODES = {
    ServiceError: 500,
    CredentialsError: 401,
    ForbiddenError: 403,
    QuotaError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    BadRequestError: 400,
    NotSupportedError: 501,
    UnavailableError: 503,
}

OF_SEVERAL = (LocationsError, NodesNotCreatedError, WaitError, WaitTimeoutError)
OF_ONE_LOCATION = [cls for cls in ALSO if cls not in OF_SEVERAL]


def made(cls: type[StratusLabError], **given: Any) -> StratusLabError:
    marks: dict[type[StratusLabError], dict[str, Any]] = {
        UnsettledError: {"token": "0f5c"},
        DuplicateError: {"token": "0f5c", "ids": ["1", "2"]},
    }
    return cls("no", **(given | marks.get(cls, {})))


every_class = pytest.mark.parametrize("cls", OF_ONE_LOCATION, ids=lambda cls: cls.__name__)


def test_the_table_above_has_every_class() -> None:
    public = (getattr(errors, name) for name in errors.__all__)
    assert {item for item in public if isinstance(item, type)} == set(ALSO)


@pytest.mark.parametrize("cls", ALSO, ids=lambda cls: cls.__name__)
def test_every_class_is_also_libcloud_s_or_the_transport_s(cls: type[StratusLabError]) -> None:
    for other in [*ALSO[cls], LibcloudError]:
        assert issubclass(cls, other)


@pytest.mark.parametrize(
    ("cls", "never"),
    [
        (UnreachableError, AnswerLostError),
        (AnswerLostError, UnreachableError),
        (ConnectTimeoutError, AnswerLostError),
        (AnswerTimeoutError, UnreachableError),
        (ServiceError, OSError),
        (StratusLabError, ValueError),
    ],
)
def test_what_tells_two_cases_apart_stays_apart(cls: type[StratusLabError], never: type[Exception]) -> None:
    assert not issubclass(cls, never)


@every_class
@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({}, "no"),
        ({"location": "a b"}, "location 'a b': no"),
        ({"operation": "one.vm.info"}, "one.vm.info: no"),
        ({"location": "a", "operation": "GET /disks/"}, "location 'a': GET /disks/: no"),
    ],
    ids=["nowhere", "location", "operation", "both"],
)
def test_the_text_says_where_and_what(cls: type[StratusLabError], where: dict[str, str], text: str) -> None:
    error = made(cls, **where)
    assert str(error) == text
    assert repr(error) == f"{cls.__name__}({text!r})"
    assert error.value == text
    assert error.message == "no"
    assert error.args == ("no",)
    assert error.location == where.get("location")
    assert error.operation == where.get("operation")


@every_class
def test_an_error_of_one_location_holds_no_others(cls: type[StratusLabError]) -> None:
    error = made(cls, location="a")
    assert not error.errors
    assert not error.nodes
    assert error.driver is None


@pytest.mark.parametrize("cls", [UnreachableError, ConnectTimeoutError, AnswerLostError, AnswerTimeoutError])
def test_transport_s_errors_hold_no_request(cls: type[UnreachableError | AnswerLostError]) -> None:
    error = cls("no")
    assert error.request is None
    assert error.response is None


def test_a_malformed_answer_s_error_holds_no_body() -> None:
    assert MalformedAnswerError("no").body is None


@pytest.mark.parametrize(
    ("cls", "http_code"), HTTP_CODES.items(), ids=lambda item: getattr(item, "__name__", "")
)
def test_a_service_s_error_has_an_http_code_and_perhaps_opennebula_s(
    cls: type[ServiceError], http_code: int
) -> None:
    assert (cls("no").http_code, cls("no").code) == (http_code, None)
    error = cls("no", http_code=418, code=1024)
    assert (error.http_code, error.code) == (418, 1024)


@every_class
@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_an_error_stays_the_same_in_another_process(
    cls: type[StratusLabError], again: Callable[[StratusLabError], StratusLabError]
) -> None:
    given = {"http_code": 418, "code": 1024} if issubclass(cls, ServiceError) else {}
    error = made(cls, location="a", operation="b", **given)
    error.note = "kept"  # type: ignore[attr-defined]  # a program's own attribute
    found = again(error)
    assert type(found) is cls
    assert (str(found), repr(found), found.args) == (str(error), repr(error), error.args)
    assert vars(found) == vars(error)


def test_several_locations_errors_are_told_one_by_one() -> None:
    first = NotFoundError("not there", location="a", operation="x")
    second = UnreachableError("no connection", location="b", operation="x")
    error = LocationsError("list_nodes", {"a": first, "b": second}, ["a node"])
    assert str(error) == "list_nodes: 2 location(s) failed: a: not there; b: no connection"
    assert error.errors == {"a": first, "b": second}
    assert error.nodes == ["a node"]
    assert error.location is None


def test_several_locations_errors_leave_nodes_behind_when_pickled() -> None:
    error = LocationsError("list_nodes", {"a": NotFoundError("not there")}, [lambda: "cannot be pickled"])
    found = pickle.loads(pickle.dumps(error))
    assert type(found) is LocationsError
    assert str(found) == str(error)
    assert not found.nodes


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (302, ServiceError),
        (400, BadRequestError),
        (401, CredentialsError),
        (402, ServiceError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (405, NotSupportedError),
        (409, ConflictError),
        (411, BadRequestError),
        (500, ServiceError),
        (502, UnavailableError),
        (503, UnavailableError),
        (504, UnavailableError),
    ],
)
def test_error_of_an_http_status(status: int, cls: type[StratusLabError]) -> None:
    assert error_of_status(status) is cls


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        (256, CredentialsError),
        (512, ForbiddenError),
        (1024, NotFoundError),
        (2048, ConflictError),
        (4096, BadRequestError),
        (8192, ServiceError),
        (0, ServiceError),
        (-4, ServiceError),
        (99, ServiceError),
    ],
)
def test_error_of_an_opennebula_code_does_not_depend_on_the_text(
    code: int, cls: type[StratusLabError]
) -> None:
    assert error_of_code(code, "User couldn't be authenticated: not authorized, Wrong state") is cls


@pytest.mark.parametrize(
    ("text", "cls"),
    [
        ("[VirtualMachineInfo] User couldn't be authenticated, aborting call.", CredentialsError),
        ("[VirtualMachineAction] User [3] not authorized to perform action on VM [4]", ForbiddenError),
        ("[VirtualMachineInfo] Error getting VM [999].", NotFoundError),
        ("[VirtualMachineAction] Wrong state to perform action", ConflictError),
        ("[VirtualMachineAction] Unknown action", BadRequestError),
        ("something else", ServiceError),
        ("", ServiceError),
    ],
)
def test_error_without_a_code_is_told_by_its_text(text: str, cls: type[StratusLabError]) -> None:
    assert error_of_code(None, text) is cls


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        (-501, BadRequestError),
        (-503, BadRequestError),
        (-506, NotSupportedError),
        (-502, ServiceError),
        (0, ServiceError),
    ],
)
def test_error_of_an_xml_rpc_fault(code: int, cls: type[StratusLabError]) -> None:
    assert error_of_fault(code) is cls


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (AnswerLostError("no"), True),
        (AnswerTimeoutError("no"), True),
        (MalformedAnswerError("no"), True),
        (UnreachableError("no"), False),
        (ConnectTimeoutError("no"), False),
        (TlsError("no"), False),
        (ConfigurationError("no"), False),
        (ServiceError("no", http_code=500), True),
        (UnavailableError("no"), True),
        (ServiceError("no", code=0), True),
        (ServiceError("no", code=8192), False),
        (NotSupportedError("no", code=-506), False),
        (ServiceError("no", http_code=300), False),
        (ServiceError("no", http_code=302), False),
        (CredentialsError("no"), False),
        (NotFoundError("no"), False),
        (ServiceError("no", http_code=499), False),
    ],
    ids=repr,
)
def test_whether_a_call_that_failed_may_have_been_carried_out(error: StratusLabError, unknown: bool) -> None:
    assert outcome_unknown(error) is unknown


@pytest.mark.parametrize(
    ("error", "temporary"),
    [
        (UnreachableError("no"), True),
        (ConnectTimeoutError("no"), True),
        (AnswerLostError("no"), True),
        (AnswerTimeoutError("no"), True),
        (UnavailableError("no"), True),
        (TlsError("no"), False),
        (MalformedAnswerError("no"), True),
        (ServiceError("no", http_code=500), True),
        (ServiceError("no", http_code=404), True),
        (ServiceError("no", http_code=408), True),
        (ServiceError("no", http_code=429), True),
        (ServiceError("no", code=0), True),
        (ServiceError("no", code=8192), False),
        (ServiceError("no", http_code=302), False),
        (NotFoundError("no"), False),
        (ForbiddenError("no"), False),
        (CredentialsError("no"), False),
        (ConfigurationError("no"), False),
        (LocationsError("x", {"a": UnreachableError("no"), "b": UnavailableError("no")}, []), True),
        (LocationsError("x", {"a": UnreachableError("no"), "b": CredentialsError("no")}, []), False),
    ],
    ids=repr,
)
def test_whether_a_reading_that_failed_may_succeed_later(error: StratusLabError, temporary: bool) -> None:
    assert is_temporary(error) is temporary
