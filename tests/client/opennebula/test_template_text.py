from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratuslab.client.errors import InvalidArgumentError
from stratuslab.client.opennebula.template_text import attribute, checked_key, vector

if TYPE_CHECKING:
    from collections.abc import Callable


CARRIED = st.characters(exclude_categories=["Cs", "Cc"], max_codepoint=0xFFFD) | st.sampled_from(
    '\t\n"\\#=,[]'
)
VALUES = st.text(CARRIED, min_size=1).filter(lambda text: not text.endswith("\\") and "]]>" not in text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("web server", 'NAME = "web server"'),
        ('say "cheese"', 'NAME = "say \\"cheese\\""'),
        ('"', 'NAME = "\\""'),
        ('a\\"b', 'NAME = "a\\\\"b"'),
        ("C:\\dir\\x", 'NAME = "C:\\dir\\x"'),
        ("a\nb\tc", 'NAME = "a\nb\tc"'),
        ("a # b, [c] = d", 'NAME = "a # b, [c] = d"'),
        ("]]", 'NAME = "]]"'),
        ("Grüße, 世界 \ufffd", 'NAME = "Grüße, 世界 \ufffd"'),
        ("$NAME", 'NAME = "$NAME"'),
        (5, 'NAME = "5"'),
        (0.5, 'NAME = "0.5"'),
        (2.0, 'NAME = "2"'),
        (1 / 3, 'NAME = "0.3333333333"'),
    ],
)
def test_an_attribute_is_quoted_with_one_escape(value: float | str, text: str) -> None:
    assert attribute("NAME", value, "name") == text


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", 'is empty; OpenNebula would store two quotes ("")'),
        ("\0", "holds the character U+0000, which OpenNebula's XML-RPC cannot carry"),
        ("a\x1bb", "holds the character U+001B"),
        ("a\r\n", "holds the character U+000D"),
        ("\ud800", "holds the character U+D800"),
        ("\ufffe", "holds the character U+FFFE"),
        ("\uffff", "holds the character U+FFFF"),
        ("smile 😀", "holds the character U+1F600"),
        ("C:\\", "ends with a backslash"),
        ("\\\\", "ends with a backslash"),
        ("a]]>b", "holds ]]>, which breaks the XML"),
    ],
    ids=repr,
)
def test_what_would_not_come_back_is_refused_with_the_argument_s_name(value: str, problem: str) -> None:
    writes: tuple[Callable[[], str], ...] = (
        lambda: attribute("NAME", value, "name"),
        lambda: vector("OS", {"KERNEL": ("fine", "kernel"), "INITRD": (value, "name")}),
    )
    for write in writes:
        with pytest.raises(InvalidArgumentError) as caught:
            write()
        assert str(caught.value).startswith(f"the argument name: {problem}")


def test_a_vector_has_its_items_in_order_and_no_comma_at_the_end() -> None:
    items: dict[str, tuple[str | int | float, str]] = {"B": ("1", "b"), "A": (2, "a")}
    assert vector("DISK", items) == 'DISK = [\n  B = "1",\n  A = "2" ]'


@pytest.mark.slow
@given(st.dictionaries(st.from_regex(r"[A-Z0-9_]{1,8}", fullmatch=True), VALUES, min_size=1), VALUES)
def test_what_is_written_is_read_back(
    read_template: Callable[[str], list[tuple[str, str | dict[str, str]]]], items: dict[str, str], value: str
) -> None:
    text = attribute("BEFORE", value, "it") + "\n"
    text += vector("MIDDLE", {key: (item, "it") for key, item in items.items()}) + "\n"
    text += attribute("AFTER", value, "it") + "\n"
    assert read_template(text) == [("BEFORE", value), ("MIDDLE", items), ("AFTER", value)]


@given(st.text())
def test_every_text_is_written_or_refused(
    read_template: Callable[[str], list[tuple[str, str | dict[str, str]]]], value: str
) -> None:
    try:
        text = attribute("NAME", value, "name")
    except InvalidArgumentError:
        return
    assert read_template(text) == [("NAME", value)]


@pytest.mark.parametrize("key", ["a", "Motd", "_", "0", "a_b_9", "PUBLIC_KEY"])
def test_a_key_is_put_in_capitals(key: str) -> None:
    assert checked_key(key, "context") == key.upper()


@pytest.mark.parametrize("key", ["", "a b", "a-b", "a.b", "é", "\u017f", "a\n", "a=", "٣", None, 5], ids=repr)
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        checked_key(key, "context")
    assert str(caught.value).startswith(f"the argument context: found the key {key!r}; a key is made of")
