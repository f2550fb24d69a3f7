from __future__ import annotations

import xmlrpc.client
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratuslab.client.opennebula.xmlrpc_message import Answer, AnswerReader, Fault, encode_call, read_answer
from stratuslab.client.transport.xml_document import DocumentError

TRUE = "<value><boolean>1</boolean></value>"
FALSE = "<value><boolean>0</boolean></value>"
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))


def answer(*values: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<methodResponse xmlns:ex="http://ws.apache.org/xmlrpc/namespaces/extensions"><params><param><value>'
        f"<array><data>{''.join(values)}</data></array></value></param></params></methodResponse>"
    ).encode()


def fault(*members: tuple[str, str]) -> bytes:
    struct = "".join(f"<member><name>{name}</name><value>{value}</value></member>" for name, value in members)
    return (
        f"<methodResponse><fault><value><struct>{struct}</struct></value></fault></methodResponse>".encode()
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([TRUE], Answer(True, None, None)),
        ([TRUE, "<value>text</value>"], Answer(True, "text", None)),
        ([FALSE, "<value><string>Wrong state</string></value>"], Answer(False, "Wrong state", None)),
        ([TRUE, "<value><i4>42</i4></value>", "<value><i4>0</i4></value>"], Answer(True, 42, 0)),
        ([FALSE, "<value>no</value>", "<value><int>1024</int></value>"], Answer(False, "no", 1024)),
        (
            [FALSE, "<value>no</value>", "<value><i4>512</i4></value>", "<value><i4>7</i4></value>"],
            Answer(False, "no", 512),
        ),
        (
            [
                FALSE,
                "<value>no</value>",
                "<value><i4>2048</i4></value>",
                "<value><i4>7</i4></value>",
                "<value><i8>-1</i8></value>",
            ],
            Answer(False, "no", 2048),
        ),
    ],
    ids=["2.2-action", "2.2", "2.2-refusal", "3.0", "3.0-refusal", "5.4", "5.10"],
)
def test_answers_of_one_to_five_elements(values: list[str], expected: Answer) -> None:
    assert read_answer(answer(*values)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<value>bare</value>", "bare"),
        ("<value/>", ""),
        ("<value><string/></value>", ""),
        ("<value><string> kept \n</string></value>", " kept \n"),
        ("<value>&lt;VM&gt;é&lt;/VM&gt;</value>", "<VM>é</VM>"),
        ("<value><![CDATA[<VM/>]]></value>", "<VM/>"),
        ("<value>\n  <string>typed</string>\n</value>", "typed"),
        ("<value><i1>1</i1></value>", 1),
        ("<value><i2>-2</i2></value>", -2),
        ("<value><i4>+4</i4></value>", 4),
        ("<value><int> 5\n</int></value>", 5),
        ("<value><i8>9223372036854775807</i8></value>", 2**63 - 1),
        ("<value><ex:i8>8</ex:i8></value>", 8),
        ("<value><ex:i1>1</ex:i1></value>", 1),
        ("<value><ex:biginteger>12</ex:biginteger></value>", 12),
        ("<value><boolean>1</boolean></value>", True),
        ("<value><boolean> 0 </boolean></value>", False),
        ("<value><nil/></value>", None),
        ("<value><ex:nil/></value>", None),
    ],
)
def test_values_of_every_dialect(value: str, expected: bool | int | str | None) -> None:
    found = read_answer(answer(TRUE, value))
    assert isinstance(found, Answer)
    assert found.value == expected
    assert type(found.value) is type(expected)


@pytest.mark.parametrize(
    "value",
    [
        "<value><double>1.5</double></value>",
        "<value><i4>1.5</i4></value>",
        "<value><i4/></value>",
        "<value><i4>1_000</i4></value>",
        f"<value><i8>{'9' * 20}</i8></value>",
        f"<value><i8>{'9' * 5000}</i8></value>",
        "<value><boolean>true</boolean></value>",
        "<value><boolean>2</boolean></value>",
        "<value><base64>AAAA</base64></value>",
        "<value><array><data/></array></value>",
        "<value><struct/></value>",
        "<value><dateTime.iso8601>20140101T00:00:00</dateTime.iso8601></value>",
    ],
)
def test_values_that_opennebula_never_sends_are_refused(value: str) -> None:
    with pytest.raises(DocumentError, match="the answer holds a value of the type"):
        read_answer(answer(TRUE, value))


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["<value><i4>1</i4></value>", "<value>x</value>"],
        ["<value>1</value>"],
        ["<value><nil/></value>"],
    ],
    ids=["empty", "number", "text", "nil"],
)
def test_an_answer_begins_with_a_boolean(values: list[str]) -> None:
    with pytest.raises(DocumentError, match="not an array which begins with a boolean"):
        read_answer(answer(*values))


@pytest.mark.parametrize("code", ["<value>1024</value>", "<value><boolean>1</boolean></value>"])
def test_the_third_element_of_an_answer_is_a_number(code: str) -> None:
    with pytest.raises(DocumentError, match="the third element of the answer is not a number"):
        read_answer(answer(FALSE, "<value>no</value>", code))


def test_no_third_element_is_no_code() -> None:
    assert read_answer(answer(TRUE, "<value>x</value>", "<value><nil/></value>")) == Answer(True, "x", None)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([("faultCode", "<i4>-501</i4>"), ("faultString", "<string>Wrong</string>")], Fault(-501, "Wrong")),
        ([("faultString", "Wrong"), ("faultCode", "<int>0</int>")], Fault(0, "Wrong")),
        ([("faultCode", "<i8>-506</i8>")], Fault(-506, "")),
        ([("faultCode", "<i4>1</i4>"), ("cause", "x"), ("faultString", "")], Fault(1, "")),
    ],
    ids=["typed", "bare", "no-text", "more-members"],
)
def test_faults(members: list[tuple[str, str]], expected: Fault) -> None:
    assert read_answer(fault(*members)) == expected


def test_members_without_value_or_name_are_passed_over() -> None:
    members = "<member><name>cause</name></member><member><value>x</value></member>"
    body = fault(("faultCode", "<i4>1</i4>"), ("faultString", "Wrong"))
    assert read_answer(body.replace(b"<struct>", f"<struct>{members}".encode())) == Fault(1, "Wrong")


@pytest.mark.parametrize(
    "members", [[], [("faultString", "x")], [("faultCode", "1")], [("faultCode", "<nil/>")]], ids=str
)
def test_a_fault_without_a_number_is_refused(members: list[tuple[str, str]]) -> None:
    with pytest.raises(DocumentError, match="the fault has no number"):
        read_answer(fault(*members))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "it is empty"),
        (b"<html><body>Please log in</body></html>", "the answer is a <html>, not an XML-RPC answer"),
        (b"<!DOCTYPE html><html/>", "it declares a document type"),
        (b"<VM_POOL/>", "the answer is a <VM_POOL>"),
        (b"<methodResponse/>", "not an array which begins with a boolean"),
        (b"<methodResponse><params/></methodResponse>", "not an array which begins with a boolean"),
        (
            b"<methodResponse><params><param><value>x</value></param></params></methodResponse>",
            "not an array which begins with a boolean",
        ),
        (answer(TRUE, "<value>x</value>")[:-5], "not well-formed XML"),
    ],
    ids=["empty", "html", "html-with-type", "document", "nothing", "no-params", "no-array", "truncated"],
)
def test_what_is_no_answer_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_answer(body)
    assert message in str(caught.value)


@given(TEXTS, st.integers(-(2**31), 2**31 - 1), st.booleans())
def test_what_python_s_own_library_writes_is_read(text: str, number: int, ok: bool) -> None:
    body = xmlrpc.client.dumps(([ok, text, number],), methodresponse=True, encoding="utf-8").encode()
    assert read_answer(body) == Answer(ok, text, number)
    fault_body = xmlrpc.client.dumps(xmlrpc.client.Fault(number, text), encoding="utf-8").encode()
    assert read_answer(fault_body) == Fault(number, text)


@given(TEXTS, st.integers(-(2**31), 2**31 - 1), st.booleans())
def test_what_is_called_is_understood_by_python_s_own_library(text: str, number: int, flag: bool) -> None:
    body = encode_call("one.vm.action", (text, number, flag))
    assert xmlrpc.client.loads(body) == ((text, number, flag), "one.vm.action")


def test_a_call_is_utf_8_which_is_what_xml_is_by_itself() -> None:
    body = encode_call("one.vm.allocate", ("a", "é"))
    assert body.startswith(b"<?xml version='1.0'?>\n<methodCall>")
    assert "<string>é</string>".encode() in body


@given(
    st.binary() | st.lists(st.sampled_from([TRUE, FALSE, "<value/>", "<i4>1</i4>", "<value><i4/></value>"]))
)
def test_no_body_whatever_raises_anything_else(body: bytes | list[str]) -> None:
    try:
        found = read_answer(body if isinstance(body, bytes) else answer(*body))
    except DocumentError:
        return
    assert isinstance(found, Answer)


POOL = "<VM_POOL><VM><ID>1</ID><NAME>café ☃ &amp; <![CDATA[<&]]></NAME></VM></VM_POOL>"


def read_in_pieces(body: bytes, size: int) -> tuple[Answer | Fault, str]:
    texts: list[str] = []
    reader = AnswerReader(texts.append)
    for start in range(0, len(body), size):
        reader.feed(body[start : start + size])
    return reader.close(), "".join(texts)


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("typed", ["<value>{}</value>", "<value><string>{}</string></value>"])
def test_the_document_of_an_answer_is_handed_on(size: int, typed: str) -> None:
    body = answer(TRUE, typed.format(escape(POOL)), "<value><i4>0</i4></value>")

    assert read_in_pieces(body, size) == (Answer(True, "", 0), POOL)


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_the_text_of_a_refusal_is_no_document(size: int) -> None:
    body = answer(FALSE, "<value>no such VM</value>", "<value><i4>1024</i4></value>")

    assert read_in_pieces(body, size) == (Answer(False, "no such VM", 1024), "")


def test_a_fault_is_no_document() -> None:
    body = (
        b"<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>-506</int></value>"
        b"</member></struct></value></fault></methodResponse>"
    )

    assert read_in_pieces(body, 5) == (Fault(-506, ""), "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"<methodResponse>",
        b"<!DOCTYPE a><methodResponse/>",
        b'<?xml version="1.0" encoding="nonsense"?><methodResponse/>',
        b'<?xml version="1.0" encoding="utf-7"?><methodResponse/>',
        b"<a>" * 1000,
        b"<a>" + b"<b/>" * 1000,
        b"<a " + b" ".join(b'a%d=""' % number for number in range(100)) + b"/>",
        b"\x00",
    ],
)
def test_what_is_no_answer_is_refused_in_pieces_too(body: bytes) -> None:
    with pytest.raises(DocumentError):
        read_in_pieces(body, 3)


@pytest.mark.parametrize("opening", [b"<a b='", b"<!--", b"<?a ", b"<"])
def test_what_does_not_end_is_refused_before_it_fills_the_memory(opening: bytes) -> None:
    with pytest.raises(DocumentError, match="it holds a longer tag or comment than any answer"):
        read_in_pieces(opening + b"x" * (2 << 20), 65536)


def test_a_first_value_that_does_not_end_takes_no_time() -> None:
    """As text it would be copied for each piece that comes."""
    reader = AnswerReader(lambda _: None)
    reader.feed(b"<methodResponse><params><param><value><array><data><value>")
    for _ in range(200):
        reader.feed(b"x" * 65536)

    assert len(reader._first) < 100


def test_a_call_holds_no_number_of_more_than_32_bits() -> None:
    assert b"<int>2147483647</int>" in encode_call("one.vm.info", (2**31 - 1,))
    with pytest.raises(OverflowError):
        encode_call("one.vm.info", (2**31,))


def test_an_answer_may_have_so_many_tags_and_not_one_more() -> None:
    answer = (
        b"<methodResponse>%s<params><param><value><array><data><value><boolean>1</boolean></value></data>"
    )
    answer += b"</array></value></param></params></methodResponse>"
    assert read_in_pieces(answer % (b"<a/>" * 992), 65536)[0] == Answer(True, None, None)
    with pytest.raises(DocumentError, match="more tags or attributes"):
        read_in_pieces(answer % (b"<a/>" * 993), 65536)
