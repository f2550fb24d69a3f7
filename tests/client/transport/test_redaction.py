"""What is promised of secrets in docs/security.md: every form is covered, quickly, and nothing else is."""

from __future__ import annotations

import base64
import html
import json
import signal
from itertools import product
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratuslab.client import Cloud
from stratuslab.client.transport.redaction import MAX_LOGGED_CHARACTERS, MAX_QUOTED_CHARACTERS, Secrecy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AS_TEXT: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "UTF-8 read as Latin-1": lambda text: text.encode().decode("latin-1"),
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Base64 of the login": lambda text: base64.b64encode(f"jane:{text}".encode()).decode(),
    "Base64 of Latin-1": lambda text: base64.b64encode(text.encode("latin-1", "replace")).decode(),
}
QUOTED: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "URL": lambda text: quote(text, safe=""),
    "path of a URL": quote,
    "form": quote_plus,
    "lower-case URL": lambda text: quote(text, safe="").replace("%2F", "%2f").replace("%C3", "%c3"),
    "XML": escape,
    "attribute": lambda text: quoteattr(text)[1:-1],
    "HTML": html.escape,
    "numbers": lambda text: "".join(f"&#{ord(character)};" for character in text),
    "hexadecimal numbers": lambda text: "".join(f"&#x{ord(character):X};" for character in text),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "Python": lambda text: repr(text)[1:-1],
    "Python's bytes": lambda text: repr(text.encode())[2:-1],
}
AROUND = [("User [", "] : Not authorized"), ("", ""), ("login=", "&next=1"), ("été ", " <b>no</b>")]

passwords = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=4, max_size=40).filter(
    lambda text: text.strip("* ")
)


def secrecy(password: str, username: str = "jane") -> Secrecy:
    return Secrecy(Cloud.at_host("cloud.example.org", username=username, password=password))


def check_one(password: str, text: str, first: str, second: str, around: int) -> None:
    quotings = {first, second} - {"as it is"}
    if "Python's bytes" in quotings and not (quotings == {"Python's bytes"} and text == "as it is"):
        return  # UTF-8 is read as Latin-1 in the middle of the quotings
    form = QUOTED[second](QUOTED[first](AS_TEXT[text](password)))
    before, after = AROUND[around]
    for shown in (secrecy(password).cover(before + form + after), secrecy(password).quotable(before + form)):
        assert form not in shown
        assert "***" in shown


every_form = {
    "password": passwords,
    "text": st.sampled_from(sorted(AS_TEXT)),
    "first": st.sampled_from(sorted(QUOTED)),
    "second": st.sampled_from(sorted(QUOTED)),
    "around": st.integers(0, len(AROUND) - 1),
}


@given(**every_form)
@settings(max_examples=300, deadline=None)
def test_every_form_is_covered(password: str, text: str, first: str, second: str, around: int) -> None:
    check_one(password, text, first, second, around)


WAYS = [*product(sorted(AS_TEXT), sorted(QUOTED), sorted(QUOTED), range(len(AROUND)))]


@pytest.mark.slow
@given(password=passwords, first=st.integers(0, len(WAYS) - 1))
@settings(max_examples=1_000, deadline=None)
def test_twenty_thousand_forms_are_covered(password: str, first: int) -> None:
    """20 ways to write each of 1,000 passwords, far from each other among all ways."""
    for way in range(20):
        check_one(password, *WAYS[(first + 197 * way) % len(WAYS)])


@pytest.mark.parametrize(("first", "second"), [*product(QUOTED, QUOTED)])
def test_what_stands_around_a_secret_is_kept(first: str, second: str) -> None:
    form = QUOTED[second](QUOTED[first]("pä\"ss<'w&rd/+ %x"))
    if "Python's bytes" not in (first, second) or first == second:
        assert secrecy("pä\"ss<'w&rd/+ %x").cover(f"[{form}] refused") == "[***] refused"


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_a_text_without_the_secret_is_kept(text: str) -> None:
    assert secrecy("correct horse battery staple").cover(text) == text


HARD = {
    "what OpenNebula says": (
        "jane.tester@lab.example.org1!",
        "User [jane.tester@lab.example.org] : Not authorized ",
    ),
    "one letter": ("a" * 60 + "b", "a"),
    "backslashes": ("\\" * 40 + "x", "\\"),
    "percent signs": ("%25" * 20, "%25"),
    "entities": ("&amp;" * 12 + "!", "&amp;"),
    "half a form": ("abcabcabcabcabcabcx", "abc\\u0061\\u0062%63"),
}


@pytest.fixture
def _ends() -> Iterator[None]:
    """End the test after so much processor time as only a search that tries again and again takes."""

    def end(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, 60)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


@pytest.mark.usefixtures("_ends")
@pytest.mark.parametrize(("password", "unit"), HARD.values(), ids=HARD)
def test_no_text_keeps_a_program_from_going_on(password: str, unit: str) -> None:
    """A pattern of alternatives took 33 s for the first of these, and doubled with every character."""
    text = unit * (200_000 // len(unit))
    assert password not in secrecy(password).cover(text)


IN_ERRORS_AND_LOGS = pytest.mark.parametrize(
    ("shown_of", "most"),
    [(Secrecy.quotable, MAX_QUOTED_CHARACTERS), (Secrecy.cover, MAX_LOGGED_CHARACTERS)],
    ids=["in an error", "in the debug log"],
)


@IN_ERRORS_AND_LOGS
@pytest.mark.parametrize(("password", "unit"), HARD.values(), ids=HARD)
def test_no_more_of_a_text_is_read_than_may_be_shown(
    shown_of: Callable[[Secrecy, str], str], most: int, password: str, unit: str
) -> None:
    shown = shown_of(secrecy(password), unit * (1_000_000 // len(unit)))
    assert len(shown) <= most + 1
    assert shown.endswith("…")
    assert password not in shown


@IN_ERRORS_AND_LOGS
@pytest.mark.parametrize("before_the_cut", range(41))
def test_no_half_of_a_secret_is_left_where_a_text_is_cut(
    shown_of: Callable[[Secrecy, str], str], most: int, before_the_cut: int
) -> None:
    for form in ("opensesame", "%6f" * 10, "&#x6f;&#x70;&#x65;&#x6e;&#x73;&#x65;&#x73;&#x61;&#x6d;&#x65;"):
        password = "o" * 10 if form.startswith("%") else "opensesame"
        shown = shown_of(secrecy(password), "." * (most - before_the_cut) + form + "." * 100)
        assert form[:3] not in shown


def test_a_short_password_blanks_no_word_of_ours() -> None:
    covered = secrecy("it").cover
    assert covered("it is not JSON") == "it is not JSON"
    assert covered("session jane:it, Basic amFuZTppdA==") == "session ***, Basic ***=="


def test_the_padding_of_base64_tells_nothing() -> None:
    assert secrecy("opensesame").cover("Basic amFuZTpvcGVuc2VzYW1l") == "Basic ***"


def test_a_url_in_latin_1_is_found() -> None:
    assert secrecy("caf\xe9-noir").cover("/login?p=caf%E9-noir") == "/login?p=***"
