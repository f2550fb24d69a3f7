"""The `system.` methods of oned's own XML-RPC server."""

from __future__ import annotations

import xmlrpc.client
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratuslab.sandbox import Sandbox

SESSION = "demo:demo-pass"


@pytest.fixture
def oned(sandbox: Sandbox) -> Iterator[xmlrpc.client.ServerProxy]:
    with xmlrpc.client.ServerProxy(f"{sandbox.url}/paris/RPC2") as server:
        yield server


def test_methods_and_their_signatures(oned: xmlrpc.client.ServerProxy) -> None:
    methods = oned.system.listMethods()
    assert isinstance(methods, list)
    assert methods[:2] == ["system.listMethods", "system.methodExist"]
    assert methods[-1] == "one.acl.info"
    assert len(methods) == 67
    assert oned.system.methodSignature("one.vmpool.info") == [["array", "string", "int", "int", "int", "int"]]
    assert oned.system.methodExist("one.vm.info") is True
    assert oned.system.methodExist("one.vm.attach") is False
    assert isinstance(oned.system.methodHelp("one.vm.info"), str)
    assert isinstance(oned.system.capabilities(), dict)
    assert isinstance(oned.system.getCapabilities(), dict)


def test_many_calls_in_one(oned: xmlrpc.client.ServerProxy) -> None:
    calls = [
        ("one.vm.allocate", [SESSION, "NAME = a"]),
        ("one.vm.info", [SESSION, 99]),
        ("one.vm.info", ["demo:wrong", 0]),
        ("one.vm.info", [SESSION]),
        ("one.vm.nosuch", [SESSION]),
        ("system.multicall", [[]]),
    ]
    answers = oned.system.multicall([{"methodName": name, "params": params} for name, params in calls])
    text = "User couldn't be authenticated, aborting call."
    assert answers == [
        [[True, 0, 0]],
        [[False, "[VirtualMachineInfo] Error getting virtual machine [99].", 1024]],
        [[False, f"[VirtualMachineInfo] {text}", 256]],
        {"faultCode": -501, "faultString": "Not enough parameters"},
        {"faultCode": -506, "faultString": "Method 'one.vm.nosuch' not defined"},
        {"faultCode": -507, "faultString": "Recursive system.multicall forbidden"},
    ]


@pytest.mark.parametrize(
    ("method", "parameters", "code"),
    [
        ("system.listMethods", (SESSION,), -502),
        ("system.methodSignature", (), -502),
        ("system.methodSignature", (7,), -501),
        ("system.methodSignature", ("one.vm.nosuch",), -506),
        ("system.multicall", ("x",), -501),
        ("system.shutdown", ("now",), -507),
        ("system.nosuch", (), -506),
    ],
)
def test_faults(
    oned: xmlrpc.client.ServerProxy, method: str, parameters: tuple[object, ...], code: int
) -> None:
    with pytest.raises(xmlrpc.client.Fault) as caught:
        getattr(oned, method)(*parameters)
    assert caught.value.faultCode == code


def test_a_multicall_with_something_else_in_it(oned: xmlrpc.client.ServerProxy) -> None:
    (answer,) = oned.system.multicall([7])
    assert answer["faultCode"] == -501


def test_the_proxy_puts_its_session_first(sandbox: Sandbox) -> None:
    url = sandbox.url.replace("http://", f"http://{SESSION}@")
    with (
        xmlrpc.client.ServerProxy(f"{url}/paris/one-proxy/pswd/xmlrpc") as proxy,
        pytest.raises(xmlrpc.client.Fault) as caught,
    ):
        proxy.system.listMethods()
    assert caught.value.faultCode == -502
