"""The volumes, images and requests of a sandbox on its web page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from stratuslab.sandbox.web.html_parts import Row, moment, state, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratuslab.sandbox.http.request_log import LoggedRequest
    from stratuslab.sandbox.marketplace.image_entry import ImageEntry
    from stratuslab.sandbox.pdisk.disks import Disk, Mount

_CODE = Markup("<code>{}</code>")
_VOLUME_HEADINGS = ("Tag", "Volume", "Owner", "GiB", "Type", "Visibility", "Mounted on")
_IMAGE_HEADINGS = ("Title", "Image", "System", "Kind", "Endorsed by", "Status", "Valid until")
_REQUEST_HEADINGS = ("Request", "Location", "Service", "Operation", "Answer", "Faults on purpose")
_REFUSED = 400


def volume_table(location: str, volumes: Iterable[tuple[Disk, Iterable[Mount]]]) -> Markup:
    """Return the table of these disks, each given with its mounts."""
    rows = (
        Row(
            f"volume-{location}-{disk.uuid}",
            disk.tag or "no tag",
            [
                _CODE.format(disk.uuid),
                disk.owner,
                disk.size_gib,
                disk.type.value,
                disk.visibility.value,
                ", ".join(f"VM {mount.vm_id} ({mount.device})" for mount in mounts),
            ],
        )
        for disk, mounts in volumes
    )
    return table(f"volumes-{location}", "Volumes", _VOLUME_HEADINGS, rows, "No volume yet.")


def image_rows(location: str, entries: Iterable[ImageEntry], now: float) -> list[Row]:
    """Return rows for these entries of a Marketplace, with their statuses at `now` (Unix seconds)."""
    return [
        Row(
            f"image-{location}-{'/'.join(entry.key)}",
            entry.title or entry.description,
            [
                _CODE.format(entry.identifier),
                " ".join(filter(None, (entry.os, entry.os_version, entry.os_arch))),
                entry.kind or "",
                entry.email,
                _status(entry, now),
                moment(entry.valid or 0),
            ],
        )
        for entry in entries
    ]


def image_table(location: str, rows: Iterable[Row]) -> Markup:
    """Return the table of the images of a location."""
    return table(f"images-{location}", "Images", _IMAGE_HEADINGS, rows, "No image.")


def request_table(requests: Iterable[tuple[int, LoggedRequest]]) -> Markup:
    """Return the table of these requests, each given with the number of its arrival."""
    rows = (
        Row(
            f"request-{arrival}",
            arrival + 1,
            [
                request.location,
                request.service,
                _CODE.format(request.operation),
                _answer(request.status),
                ", ".join(request.faults),
            ],
        )
        for arrival, request in requests
    )
    return table("requests", "Last requests, newest first", _REQUEST_HEADINGS, rows, "No request yet.")


def _answer(status: int) -> Markup:
    if not status:
        return state("none", "bad")
    return state(f"HTTP {status}", "bad" if status >= _REFUSED else "good")


def _status(entry: ImageEntry, now: float) -> Markup:
    if entry.deprecated is not None:
        return state("deprecated", "bad", entry.deprecated)
    if entry.expired_at(now):
        return state("expired", "rest")
    return state("valid", "good") if entry.valid_at(now) else state("without a date", "rest")
