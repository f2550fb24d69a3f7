from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratuslab.sandbox import Fault
from stratuslab.sandbox.faults.action import (
    Action,
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
from stratuslab.sandbox.faults.occurrence import Always, Nth, Occurrence, Pattern, Probability
from stratuslab.sandbox.faults.rule import GRAMMAR

RULES = {
    "one.vm.allocate:cut-after": Fault("one.vm.allocate", CutAfter()),
    "one.vm.allocate@paris:nth=2:cut-after": Fault("one.vm.allocate", CutAfter(), "paris", Nth(2)),
    "*:cut-before": Fault("*", CutBefore()),
    "GET /disks/*:cut-at=10": Fault("GET /disks/*", CutAt(10)),
    "one.vm.info:sequence=ok,fail,ok:garbage": Fault(
        "one.vm.info", Garbage(), None, Pattern((False, True, False))
    ),
    "*:cycle=fail,ok:delay=0.5": Fault("*", Delay(0.5), None, Pattern((True, False), cycle=True)),
    "*:probability=0.1:delay=3:carried-out": Fault("*", Delay(3, carried_out=True), None, Probability(0.1)),
    "*:seed=7:delay=3:probability=0.1": Fault("*", Delay(3), None, Probability(0.1, 7)),
    "GET /metadata:status=503": Fault("GET /metadata", Status(503)),
    "*:status=503:carried-out:retry-after=5:type=text/html:text=<p>10:30": Fault(
        "*", Status(503, carried_out=True, retry_after=5, media_type="text/html", text="<p>10:30")
    ),
    "*:status=200:text=": Fault("*", Status(200, text="")),
    "one.*:error=2048:text=Wrong state: no": Fault("one.*", OneError(2048, "Wrong state: no")),
    "one.*:error=2048": Fault("one.*", OneError(2048)),
    "one.*:xmlrpc-fault=-501:text=a=b:nth=1": Fault("one.*", XmlRpcFault(-501, "a=b:nth=1")),
    "*:redirect=http://127.0.0.1:1/a?b=c": Fault("*", Redirect("http://127.0.0.1:1/a?b=c")),
    "*:content-type=text/html; charset=x": Fault("*", ContentType("text/html; charset=x")),
    "one.vm.attach:nth=1:driver=fails": Fault("one.vm.attach", DriverFailure("fails"), None, Nth(1)),
}


@pytest.mark.parametrize("rule", RULES)
def test_parse(rule: str) -> None:
    assert Fault.parse(rule) == RULES[rule]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (":garbage", "begins with an operation"),
        ("*", "exactly one of cut-before, cut-after, cut-at, delay, status, error,"),
        ("*:", "exactly one of"),
        ("*:nth=1", "exactly one of"),
        ("*:garbage:delay=1", "exactly one of"),
        ("*@:garbage", "name of a location"),
        ("*:nht=2:garbage", "no setting 'nht'"),
        ("*::garbage", "no setting ''"),
        ("*:garbage=1", "garbage takes no value"),
        ("*:cut-at", "cut-at needs a value"),
        ("*:nth=1:nth=2:garbage", "nth comes twice"),
        ("*:nth=1:cycle=ok:garbage", "nth and cycle do not go together"),
        ("*:nth=x:garbage", "'x' is not a whole number"),
        ("*:nth=0:garbage", "number 1"),
        ("*:sequence=ok,no:garbage", "not like ok,fail,ok"),
        ("*:sequence=:garbage", "not like ok,fail,ok"),
        ("*:probability=often:garbage", "'often' is not a number"),
        ("*:probability=2:garbage", "0 to 1"),
        ("*:seed=1:garbage", "seed does not belong here"),
        ("*:garbage:carried-out", "carried-out does not belong here"),
        ("*:status=503:type=text/html", "type does not belong here"),
        ("*:delay=-1", "from 0 to 86400 seconds"),
        ("*:delay=nan", "from 0 to 86400 seconds"),
        ("*:cut-at=-1", "before its beginning"),
        ("*:status=100", "100 is no HTTP status"),
        ("*:status=204", "204 is no HTTP status"),
        ("*:status=299", "299 is no HTTP status"),
        ("*:status=503:retry-after=-1", "retry-after"),
        ("*:status=503:type=a\nb:text=", "media type"),
        ("*:redirect=/a\r\nb", "header"),
        ("*:content-type=", "media type"),
        ("*:driver=sleeps", "'sleeps' is nothing that a driver does; give fails, hangs, prolog"),
    ],
)
def test_what_is_wrong_with_a_rule(rule: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"is not a rule for a fault") as caught:
        Fault.parse(rule)
    assert str(caught.value).startswith(repr(rule))
    assert reason in str(caught.value)


HEADERS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)
TYPES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters=":"), min_size=1)
STATUSES = st.sampled_from([int(code) for code in HTTPStatus if code >= 200 and code not in (204, 304)])
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.just(CutBefore()),
    st.just(CutAfter()),
    st.builds(CutAt, st.integers(0)),
    st.builds(Delay, st.floats(0, 86400), st.booleans()),
    st.builds(Status, STATUSES, st.booleans(), st.none() | st.integers(0)),
    st.builds(Status, STATUSES, st.booleans(), st.none() | st.integers(0), TYPES, st.text()),
    st.builds(OneError, st.integers(), st.text()),
    st.builds(XmlRpcFault, st.integers(), st.text()),
    st.builds(Redirect, HEADERS),
    st.just(Garbage()),
    st.builds(ContentType, TYPES),
)
OCCURRENCES: st.SearchStrategy[Occurrence] = st.one_of(
    st.just(Always()),
    st.builds(Nth, st.integers(1)),
    st.builds(Pattern, st.lists(st.booleans(), min_size=1).map(tuple), st.booleans()),
    st.builds(Probability, st.floats(0, 1), st.integers()),
)
NAMES = st.text(st.characters(exclude_characters=":@"), min_size=1)


@given(
    st.builds(Fault, NAMES, ACTIONS, st.none() | st.from_regex(r"[a-z0-9._-]+", fullmatch=True), OCCURRENCES)
)
def test_a_rule_is_written_as_it_is_read(fault: Fault) -> None:
    assert Fault.parse(str(fault)) == fault


@given(st.text("*:@=,nthdelaycut-beforestatus0123456789"))
def test_any_text_is_a_rule_or_no_rule(text: str) -> None:
    fault = None
    with suppress(ValueError):
        fault = Fault.parse(text)
    if fault is not None:
        assert Fault.parse(str(fault)) == fault


@pytest.mark.parametrize(
    ("rule", "request_", "matches"),
    [
        ("*:garbage", ("pdisk", "GET /disks/UUID", "paris"), True),
        ("one.vm.*:garbage", ("compute", "one.vm.info", "paris"), True),
        ("one.vm.*:garbage", ("compute", "one.vmpool.info", "paris"), False),
        ("one.vm.INFO:garbage", ("compute", "one.vm.info", "paris"), False),
        ("GET /disks/:garbage", ("pdisk", "GET /disks/UUID", "paris"), False),
        ("[GH]E* /disks/*:garbage", ("pdisk", "HEAD /disks/UUID", "paris"), True),
        ("GET /a?b?c:garbage", ("pdisk", "GET /a:b@c", "paris"), True),
        ("*@paris:garbage", ("pdisk", "GET /disks/", "paris"), True),
        ("*@paris:garbage", ("pdisk", "GET /disks/", "lyon"), False),
        ("*:error=1", ("compute", "one.vm.info", "paris"), True),
        ("*:error=1", ("pdisk", "GET /disks/", "paris"), False),
        ("*:xmlrpc-fault=1", ("marketplace", "GET /metadata", "paris"), False),
    ],
)
def test_which_requests_a_rule_is_for(rule: str, request_: tuple[str, str, str], matches: bool) -> None:
    assert Fault.parse(rule).matches(*request_) is matches


@pytest.mark.parametrize("media_type", ["", "a:b", "a\nb", "é"])
def test_media_type_which_cannot_be(media_type: str) -> None:
    with pytest.raises(ValueError, match="no media type"):
        ContentType(media_type)


@pytest.mark.parametrize("operation", ["", "a:b", "a@b"])
def test_operation_which_cannot_be_written(operation: str) -> None:
    with pytest.raises(ValueError, match="begins with an operation"):
        Fault(operation, Garbage())


def test_grammar_tells_of_every_setting() -> None:
    settings = (
        "nth= sequence= cycle= probability= seed= cut-before cut-after cut-at= delay= carried-out status="
    )
    more = "retry-after= type= text= error= xmlrpc-fault= redirect= garbage content-type= driver="
    assert [setting for setting in [*settings.split(), *more.split()] if setting not in GRAMMAR] == []
