from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratuslab.client.errors import (
    AnswerLostError,
    AnswerTimeoutError,
    ConnectTimeoutError,
    CredentialsError,
    MalformedAnswerError,
    ServiceError,
    TlsError,
    UnreachableError,
)
from stratuslab.client.transport.retry import TEMPORARY_STATUSES, may_repeat_after, pause_before, seconds_of

if TYPE_CHECKING:
    from stratuslab.client.errors import StratusLabError


@pytest.mark.parametrize(
    ("cls", "again"),
    [
        (UnreachableError, True),
        (ConnectTimeoutError, True),
        (AnswerLostError, True),
        (AnswerTimeoutError, False),
        (TlsError, False),
        (MalformedAnswerError, False),
        (CredentialsError, False),
        (ServiceError, False),
    ],
)
def test_what_is_worth_another_try(cls: type[StratusLabError], again: bool) -> None:
    assert may_repeat_after(cls("no")) is again


@pytest.mark.parametrize(("repeat", "least", "most"), [(0, 0.1, 0.3), (1, 0.2, 0.6), (2, 0.4, 1.2)])
def test_pauses_grow_and_differ(repeat: int, least: float, most: float) -> None:
    pauses = [pause_before(repeat, None) for _ in range(200)]
    assert least <= min(pauses) < max(pauses) <= most
    assert len(set(pauses)) > 100


def test_the_service_s_own_pause_is_kept_exactly() -> None:
    assert pause_before(2, 0.0) == 0.0
    assert pause_before(0, 17.0) == 17.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 5000, None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
        ("Fri, 31 Dec 1999 23:59:59 -0000", 0.0),
        ("Fri, 99 Dec 1999 23:59:59 GMT", None),
    ],
)
def test_seconds_of_a_header(header: str | None, seconds: float | None) -> None:
    assert seconds_of(header) == seconds


def test_seconds_until_a_date() -> None:
    found = seconds_of(format_datetime(datetime.now(timezone.utc) + timedelta(hours=1), usegmt=True))
    assert found is not None
    assert 0 < found <= 3600


@given(st.text() | st.text("0123456789 ,:+-GMTJanFebMonTue"))
def test_no_header_whatever_raises(header: str) -> None:
    found = seconds_of(header)
    assert found is None or found >= 0


def test_the_statuses_that_are_asked_again() -> None:
    assert {429, 502, 503, 504} == TEMPORARY_STATUSES
