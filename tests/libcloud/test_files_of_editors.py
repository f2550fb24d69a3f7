"""User data and keys from editors that begin with a byte order mark or end lines with CR LF."""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.base import NodeAuthSSHKey

if TYPE_CHECKING:
    from pathlib import Path

    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPTfrJk+h9R/WMynRsHEhQbA/177op9MUeqYOA91qlsL"
SCRIPT = "#!/bin/sh\necho hello\n"
COMPRESSED = gzip.compress(b"#!/bin/sh\r\n")


def context_of(driver: StratusLabNodeDriver, **arguments: Any) -> dict[str, str]:
    node = driver.create_node("web", "m1.small", driver.list_images()[0], **arguments)
    return driver._at(None).monitor.describe_vm(int(node.id)).context


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("\ufeff" + SCRIPT, SCRIPT.encode()),
        (SCRIPT.replace("\n", "\r\n"), SCRIPT.encode()),
        (b"\xef\xbb\xbf" + SCRIPT.replace("\n", "\r\n").encode(), SCRIPT.encode()),
        (COMPRESSED, COMPRESSED),
        (b"\xff\r\n", b"\xff\r\n"),
    ],
    ids=["mark", "line ends", "bytes", "compressed", "no text"],
)
def test_user_data(driver: StratusLabNodeDriver, given: str | bytes, expected: bytes) -> None:
    context = context_of(driver, ex_userdata=given)

    assert gzip.decompress(base64.b64decode(context["CLOUD_INIT_USER_DATA"])) == expected


@pytest.mark.parametrize("text", [f"\ufeff{KEY} me\r\n", f"{KEY} me\r\n"], ids=["mark", "line ends"])
def test_public_keys(driver: StratusLabNodeDriver, home: Path, text: str) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id_ed25519.pub").write_bytes(text.encode())

    for arguments in ({}, {"auth": NodeAuthSSHKey(text)}):
        assert context_of(driver, **arguments)["PUBLIC_KEY"].strip() == f"{KEY} me"
