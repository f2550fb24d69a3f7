from __future__ import annotations

from contextlib import suppress
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratuslab.sandbox.opennebula.template.template import Template, TemplateError, parse

NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)
XML_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
).filter(lambda text: "]]>" not in text)
QUOTABLE = XML_TEXT.filter(lambda text: text != "" and not text.endswith("\\") and '\\"' not in text)


def quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A = b", "b"),
        ("\n\t A\t=\tb\n", "b"),
        ('A = "b c"', "b c"),
        ('A = "b # [c], = d"', "b # [c], = d"),
        ('A = "two\nlines"', "two\nlines"),
        (r'A = "b\"c"', 'b"c'),
        (r'A = "b\nc\\d"', r"b\nc\\d"),
        (r"A = b\"c", 'b"c'),
        ('A = "b"c"', '"b"c"'),
        ('A = ""', '""'),
        ('A = ""b""', '""b""'),
        ('A = "b', '"b'),
        ("A = b\\", "b\\"),
        (r'A = "b\"', "b\\"),
        ("A =\n", ""),
        ("A = \t\n", ""),
        ("A = # b", "b"),
        ("A = = , ] b", "b"),
        ('A = "été ☃"', "été ☃"),
        ("A = b\r\n", "b\r"),
        ("# comment\nA = b\n  # another\n", "b"),
        ("-A. = b", "b"),
        ("É A = b", "b"),
    ],
)
def test_value_of_a_single_attribute(text: str, value: str) -> None:
    assert parse(text).attributes == [("A", value)]


@pytest.mark.parametrize(
    ("text", "vector"),
    [
        ("A = [ b = c ]", {"B": "c"}),
        ('a=[\nb = "c d",\nE=f\n]', {"B": "c d", "E": "f"}),
        ("A = [ b = first, B = second ]", {"B": "first"}),
        ('A = [ b = "", c = ""d"" ]', {"B": '""', "C": '""d""'}),
        ("A = [ B = https://example.org/metadata/C_-1 ]", {"B": "https://example.org/metadata/C_-1"}),
    ],
)
def test_vector(text: str, vector: dict[str, str]) -> None:
    assert parse(text).attributes == [("A", vector)]


def test_attributes_keep_their_order_and_may_come_twice() -> None:
    template = parse("DISK = [ A = 1 ]\nCPU = 1\nDISK = [ A = 2 ]\nCPU = 2")
    assert template.attributes == [("DISK", {"A": "1"}), ("CPU", "1"), ("DISK", {"A": "2"}), ("CPU", "2")]
    assert template.vectors("DISK") == [{"A": "1"}, {"A": "2"}]
    assert template.single("CPU") == "1"
    assert template.single("DISK") == template.single("NONE") == ""


def test_empty_template() -> None:
    assert parse("").attributes == parse(" \n# nothing\n").attributes == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("A b = c", "unexpected VARIABLE, expecting EQUAL or EQUAL_EMPTY at line 1, columns 3:4"),
        ("A-B = c", "unexpected VARIABLE, expecting EQUAL or EQUAL_EMPTY at line 1, columns 3:4"),
        (
            'A = "my "cool" vm"',
            "unexpected VARIABLE, expecting EQUAL or EQUAL_EMPTY at line 1, columns 16:18",
        ),
        ("A = [ 1\nMEMORY", "unexpected VARIABLE, expecting EQUAL at line 2, columns 9:15"),
        ('A = [ b = "c "d"" ]', "unexpected VARIABLE, expecting COMMA or CBRACKET at line 1, columns 15:16"),
        ("A = [ b = c, ]", "unexpected CBRACKET, expecting VARIABLE at line 1, columns 14:15"),
        ("A = [ b =\nc = d ]", "unexpected EQUAL_EMPTY, expecting EQUAL at line 2, columns 8:11"),
        ("A = [ b = c", "unexpected $end, expecting COMMA or CBRACKET at line 1, columns 11:12"),
        ("A = [ ]", "unexpected CBRACKET, expecting VARIABLE at line 1, columns 7:8"),
        ("A = b ]", "unexpected CBRACKET, expecting $end at line 1, columns 6:8"),
        ("A =", "unexpected $end, expecting OBRACKET or STRING at line 1, columns 2:4"),
        ("= b", "unexpected EQUAL, expecting $end at line 1, columns 1:3"),
        ("É = b\nÉ C D", "unexpected EQUAL, expecting $end at line 1, columns 3:6"),
        ("A = b # c\n# d", "unexpected $end, expecting EQUAL or EQUAL_EMPTY at line 2, columns 13:14"),
    ],
)
def test_error_tells_what_and_where(text: str, problem: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse(text)
    assert str(caught.value) == f"Parse error: syntax error, {problem}"


def test_xml_is_sorted_with_repeated_attributes_in_order() -> None:
    template = parse('NIC = [ Z = 1, A = "<&>" ]\nCPU = 1\nNIC = [ A = 2 ]\nDESCRIPTION =\n')
    assert template.to_xml() == (
        "<TEMPLATE><CPU><![CDATA[1]]></CPU><DESCRIPTION><![CDATA[]]></DESCRIPTION>"
        "<NIC><A><![CDATA[<&>]]></A><Z><![CDATA[1]]></Z></NIC><NIC><A><![CDATA[2]]></A></NIC></TEMPLATE>"
    )


def test_replace_leaves_one_value() -> None:
    template = Template([("A", "1"), ("B", "2"), ("A", {"C": "3"})])
    template.replace("A", "4")
    assert sorted(template.attributes) == [("A", "4"), ("B", "2")]


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(NAMES, QUOTABLE | st.dictionaries(NAMES, QUOTABLE, min_size=1))))
def test_what_is_quoted_is_understood(attributes: list[tuple[str, str | dict[str, str]]]) -> None:
    text = "\n".join(
        f"{name} = {quoted(value)}"
        if isinstance(value, str)
        else f"{name} = [ {', '.join(f'{key} = {quoted(item)}' for key, item in value.items())} ]"
        for name, value in attributes
    )
    assert parse(text).attributes == attributes


@pytest.mark.slow
@given(st.dictionaries(NAMES, XML_TEXT | st.dictionaries(NAMES, XML_TEXT, min_size=1)))
def test_xml_says_the_same(attributes: dict[str, str | dict[str, str]]) -> None:
    root = ElementTree.fromstring(Template([*attributes.items()]).to_xml())
    found = {
        element.tag: {child.tag: child.text or "" for child in element}
        if len(element)
        else element.text or ""
        for element in root
    }
    assert found == attributes


@given(st.text(st.sampled_from('AbÉ1_ \t\n="\\#,[]'), max_size=40))
def test_any_text_is_understood_or_refused(text: str) -> None:
    with suppress(TemplateError):
        assert all(name.isascii() for name, _ in parse(text).attributes)
