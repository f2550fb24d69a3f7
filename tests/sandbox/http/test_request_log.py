from __future__ import annotations

from stratuslab.sandbox import LoggedRequest, RequestLog
from stratuslab.sandbox.http.request_log import LIMIT


def request(operation: str) -> LoggedRequest:
    return LoggedRequest("pdisk", operation, "paris", 200, 54321)


def test_is_a_list_in_the_order_of_arrival() -> None:
    log = RequestLog()
    first, second, third = (log.arrival() for _ in range(3))
    for arrival, operation in ((second, "b"), (third, "c"), (first, "a")):
        log.record(arrival, request(operation))
    assert log.operations() == ["a", "b", "c"]
    assert len(log) == 3
    assert log[0] == request("a")
    assert log[-1:] == [request("c")]
    assert [*log] == [request("a"), request("b"), request("c")]
    assert request("b") in log


def test_clear_forgets_what_has_been_recorded() -> None:
    log = RequestLog()
    under_way = log.arrival()
    log.record(log.arrival(), request("a"))
    log.clear()
    assert not log
    log.record(under_way, request("b"))
    assert log.operations() == ["b"]


def test_newest_come_with_their_numbers_of_arrival() -> None:
    log = RequestLog()
    assert log.newest(2) == []
    for operation in "abc":
        log.record(log.arrival(), request(operation))
    assert log.newest(2) == [(2, request("c")), (1, request("b"))]
    assert log.newest(9) == [(2, request("c")), (1, request("b")), (0, request("a"))]


def test_forgets_the_oldest_beyond_the_limit() -> None:
    log = RequestLog()
    for number in range(LIMIT + 2):
        log.record(log.arrival(), request(str(number)))
    assert len(log) == LIMIT
    assert log[0] == request("2")
    assert log[-1] == request(str(LIMIT + 1))
