from __future__ import annotations

import xmlrpc.client
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratuslab.sandbox.xmlrpc.call import XmlRpcError
from stratuslab.sandbox.xmlrpc.formats import ApacheFormat, XmlRpcCFormat, read_call

APACHE, XMLRPC_C = ApacheFormat(), XmlRpcCFormat()
BMP_TEXT = st.text(
    st.characters(
        max_codepoint=0xFFFD,
        exclude_categories=["Cs", "Cc"],
        include_characters="\n\t",
        exclude_characters="\x7f",
    )
)
VALUES = st.lists(BMP_TEXT | st.booleans() | st.integers(-(2**31), 2**31 - 1))


def test_call_of_the_2014_client() -> None:
    call = read_call(
        b"<?xml version='1.0'?>\n<methodCall>\n<methodName>one.vm.info</methodName>\n<params>\n<param>\n"
        b"<value><string>alice:pw</string></value>\n</param>\n<param>\n<value><int>42</int></value>\n</param>\n"
        b"</params>\n</methodCall>\n",
        APACHE,
    )
    assert (call.method, call.parameters) == ("one.vm.info", ("alice:pw", 42))


@given(VALUES)
def test_parameters_arrive_as_they_were_sent(values: list[str | bool | int]) -> None:
    body = xmlrpc.client.dumps(tuple(values), "one.vm.allocate").encode()
    parameters = read_call(body, APACHE).parameters
    assert [*parameters] == values
    assert [*map(type, parameters)] == [*map(type, values)]


@pytest.mark.parametrize("xml_format", [APACHE, XMLRPC_C])
@given(values=VALUES)
def test_answers_arrive_as_they_were_sent(
    xml_format: ApacheFormat | XmlRpcCFormat, values: list[str | bool | int]
) -> None:
    found: Any
    ((found,), method) = xmlrpc.client.loads(xml_format.answer(values))
    assert method is None
    assert found == values
    assert [*map(type, found)] == [*map(type, values)]


def test_answer_of_the_proxy_byte_for_byte() -> None:
    text = "[VirtualMachineInfo] Error getting <virtual> machine & \r\n[999]."
    assert APACHE.answer([False, text, 1024]) == (
        b'<?xml version="1.0" encoding="UTF-8"?>'
        b'<methodResponse xmlns:ex="http://ws.apache.org/xmlrpc/namespaces/extensions"><params><param><value>'
        b"<array><data><value><boolean>0</boolean></value><value>[VirtualMachineInfo] Error getting "
        b"&lt;virtual&gt; machine &amp; &#13;\n[999].</value><value><i4>1024</i4></value></data></array>"
        b"</value></param></params></methodResponse>"
    )


def test_fault_of_the_proxy_byte_for_byte() -> None:
    assert APACHE.fault(XmlRpcError(-501, "Not enough parameters")) == (
        b'<?xml version="1.0" encoding="UTF-8"?>'
        b'<methodResponse xmlns:ex="http://ws.apache.org/xmlrpc/namespaces/extensions"><fault><value><struct>'
        b"<member><name>faultCode</name><value><i4>-501</i4></value></member>"
        b"<member><name>faultString</name><value>Not enough parameters</value></member>"
        b"</struct></value></fault></methodResponse>"
    )


def test_answer_of_oned_byte_for_byte() -> None:
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<methodResponse>",
        "<params>",
        "<param><value><array><data>",
        "<value><boolean>1</boolean></value>",
        "<value><string>été</string></value>",
        "<value><i4>0</i4></value>",
        "</data></array></value></param>",
        "</params>",
        "</methodResponse>",
        "",
    ]
    assert XMLRPC_C.answer([True, "été", 0]).decode().split("\r\n") == lines


def test_fault_of_oned_byte_for_byte() -> None:
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<methodResponse>",
        "<fault>",
        "<value><struct>",
        "<member><name>faultCode</name>",
        "<value><i4>-506</i4></value></member>",
        "<member><name>faultString</name>",
        "<value><string>Method 'x' not defined</string></value></member>",
        "</struct></value>",
        "</fault>",
        "</methodResponse>",
        "",
    ]
    assert XMLRPC_C.fault(XmlRpcError(-506, "Method 'x' not defined")).decode().split("\r\n") == lines


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no XML",
        b"<methodCall><methodName>x</methodName>",
        b"<methodCall><params></params></methodCall>",
        b"<methodResponse><params></params></methodResponse>",
        b"<methodCall><methodName>x</methodName><params><param><value><i4>x</i4></value></param></params></methodCall>",
        b"<methodCall><methodName>x</methodName><params><param><value>a\x01b</value></param></params></methodCall>",
        "<methodCall><methodName>é</methodName></methodCall>".encode("latin-1"),
    ],
)
def test_body_which_is_no_call(body: bytes) -> None:
    with pytest.raises(XmlRpcError) as caught:
        read_call(body, XMLRPC_C)
    assert caught.value.code == -503
    assert str(caught.value).startswith("Call is not valid XML.  ")
    with pytest.raises(XmlRpcError) as caught:
        read_call(body, APACHE)
    assert caught.value.code == 0
    assert str(caught.value).startswith("Failed to parse XML-RPC request: ")


ELEMENTS = [
    "methodCall",
    "methodName",
    "params",
    "param",
    "value",
    "i4",
    "boolean",
    "array",
    "data",
    "struct",
]
TAGS = st.sampled_from([tag for name in ELEMENTS for tag in (f"<{name}>", f"</{name}>", f"<{name}/>")])
NESTED = st.recursive(
    st.sampled_from(["", "1", "x"]),
    lambda inner: st.builds("<{0}>{1}{2}</{0}>".format, st.sampled_from(ELEMENTS), inner, inner),
)


@given(
    st.lists(TAGS | st.sampled_from(["1", "x"])).map("".join)
    | NESTED.map("<methodCall>{}</methodCall>".format)
)
def test_any_body_is_a_call_or_a_fault(body: str) -> None:
    with suppress(XmlRpcError):
        assert read_call(body.encode(), APACHE).method


@pytest.mark.parametrize("parameter", ["a\U0001f600", ["\U0001f600"], {"a": {"\U0001f600": 1}}])
@pytest.mark.parametrize("xml_format", [APACHE, XMLRPC_C])
def test_characters_beyond_the_bmp_are_a_fault(
    xml_format: ApacheFormat | XmlRpcCFormat, parameter: Any
) -> None:
    body = xmlrpc.client.dumps(("session", parameter), "one.vm.allocate").encode()
    with pytest.raises(XmlRpcError, match="not in the Basic Multilingual Plane") as caught:
        read_call(body, xml_format)
    assert caught.value.code == -503
