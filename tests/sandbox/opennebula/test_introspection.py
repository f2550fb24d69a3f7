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
    assert len(methods) == 63
    assert oned.system.methodSignature("one.vmpool.info") == [["array", "string", "int", "int", "int", "int"]]
    assert oned.system.methodExist("one.vm.info") is True
    assert oned.system.methodExist("one.vm.attach") is False
    assert isinstance(oned.system.methodHelp("one.vm.info"), str)


@pytest.mark.parametrize(
    ("method", "parameters", "code"),
    [
        ("system.listMethods", (SESSION,), -502),
        ("system.methodSignature", (), -502),
        ("system.methodSignature", (7,), -501),
        ("system.methodSignature", ("one.vm.nosuch",), -506),
        ("system.multicall", ([],), -506),
        ("system.nosuch", (), -506),
    ],
)
def test_faults(
    oned: xmlrpc.client.ServerProxy, method: str, parameters: tuple[object, ...], code: int
) -> None:
    with pytest.raises(xmlrpc.client.Fault) as caught:
        getattr(oned, method)(*parameters)
    assert caught.value.faultCode == code


def test_the_proxy_puts_its_session_first(sandbox: Sandbox) -> None:
    url = sandbox.url.replace("http://", f"http://{SESSION}@")
    with (
        xmlrpc.client.ServerProxy(f"{url}/paris/one-proxy/pswd/xmlrpc") as proxy,
        pytest.raises(xmlrpc.client.Fault) as caught,
    ):
        proxy.system.listMethods()
    assert caught.value.faultCode == -502
