"""Secrets are sent as they are, and shown as asterisks."""

from __future__ import annotations

from stratuslab.client.transport.covered import CoveredText


def test_a_covered_text_is_shown_by_no_way_of_formatting() -> None:
    secret = CoveredText("s3cret")

    assert f"{secret} {secret!r} {secret:>9} {[secret]}" == "*** *** *** [***]"
    assert secret.encode() == b"s3cret"
