"""Whole images that go to PDisk and come back: `stratus-upload-image`, and downloads."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import pytest
import requests

from stratuslab.sandbox.marketplace.image_entry import identifier_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.sandbox.pdisk.disks import Disk, DiskStore
    from tests.sandbox.conftest import Http


GZIP = {"Accept": "application/x-gzip"}
IMAGE = b"a boot sector, then nothing" + bytes(100_000)
BOUNDARY = "127.0.0.1.0.9676.1795421781.525.1"


def upload(pdisk: Http, contents: bytes) -> requests.Response:
    """Send a file as the client of 14.06 does: each part with a length, and an empty line after the end."""
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="Image File"; filename="up.img.gz"\r\n'
        f"Content-Type: application/octet-stream\r\nContent-Length: {len(contents)}\r\n\r\n"
    ).encode()
    headers = {
        "Accept": "application/json",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
    }
    body += contents + f"\r\n--{BOUNDARY}--\r\n\r\n".encode()
    return pdisk.request("POST", "/disks/", headers=headers, data=body)


def uploaded(pdisk: Http, contents: bytes) -> str:
    answer = upload(pdisk, contents)
    assert answer.status_code == 303
    return answer.headers["Location"].removeprefix(pdisk.url)


def test_an_image_makes_a_disk(pdisk: Http) -> None:
    path = uploaded(pdisk, gzip.compress(IMAGE))
    assert pdisk.get(path).json() == {
        "uuid": path.removeprefix("/disks/"),
        "tag": "",
        "count": "0",
        "owner": "alice",
        "identifier": identifier_of(hashlib.sha1(IMAGE).hexdigest()),
        "size": "1",
        "type": "DATA_IMAGE_RAW_READONLY",
        "visibility": "PRIVATE",
    }


@pytest.mark.parametrize("accept", [GZIP, None])
def test_an_image_comes_back_as_it_was(pdisk: Http, accept: dict[str, str] | None) -> None:
    contents = gzip.compress(IMAGE)
    path = uploaded(pdisk, contents) + ("" if accept else "?media=gzip")
    answer = pdisk.get(path, headers=accept)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/x-gzip")
    assert answer.content == contents
    assert pdisk.get(path, user="bob", headers=accept).status_code == 403


def test_a_file_that_is_not_compressed_is_taken_too(pdisk: Http) -> None:
    path = uploaded(pdisk, b"\x1f\x8bFAKE")
    assert pdisk.get(path, headers=GZIP).content == b"\x1f\x8bFAKE"
    assert pdisk.get(path).json()["identifier"] == identifier_of(hashlib.sha1(b"\x1f\x8bFAKE").hexdigest())


def test_a_form_without_a_file(pdisk: Http) -> None:
    form = requests.Request("POST", pdisk.url, files={"tag": (None, "no file")}).prepare()
    headers = {"Accept": "application/json", "Content-Type": form.headers["Content-Type"]}
    assert isinstance(form.body, bytes)
    answer = pdisk.request("POST", "/disks/", headers=headers, data=form.body)
    assert (answer.status_code, answer.json()["message"]) == (400, "empty file uploaded")


def test_a_disk_nobody_wrote_to_has_zeros(pdisk: Http, saved: Callable[..., Disk]) -> None:
    image = gzip.GzipFile(
        fileobj=requests.get(
            f"{pdisk.url}/disks/{saved().uuid}", auth=("alice", ""), headers=GZIP, stream=True, timeout=10
        ).raw
    )
    assert image.read(2**20 + 1) == bytes(2**20 + 1)


def test_what_was_uploaded_goes_with_its_disk(pdisk: Http, disks: DiskStore) -> None:
    path = uploaded(pdisk, gzip.compress(IMAGE))
    assert pdisk.request("DELETE", path).status_code == 200
    assert not disks.state.uploads


def test_a_download_may_go_on_where_it_ended(pdisk: Http) -> None:
    contents = gzip.compress(IMAGE)
    path = uploaded(pdisk, contents)
    answer = pdisk.get(path, headers={**GZIP, "Range": "bytes=10-"})
    assert (answer.status_code, answer.content) == (206, contents[10:])
    assert answer.headers["Content-Range"] == f"bytes 10-{len(contents) - 1}/{len(contents)}"
