"""What an OpenNebula from 5.12 on has, on the web page: VMs, volumes, images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.states import ImageState
from stratuslab.sandbox.web.html_parts import Row, moment, state, table
from stratuslab.sandbox.web.vms import vm_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from stratuslab.sandbox.opennebula.current.books import Books
    from stratuslab.sandbox.opennebula.current.objects import Image
    from stratuslab.sandbox.opennebula_location import OpenNebulaLocation
    from stratuslab.sandbox.web.html_parts import Mood

_HEADINGS = ("Name", "ID", "Owner", "State", "Size", "Made", "VMs")
_DATABLOCK = 2
_MOODS: dict[str, Mood] = {"READY": "good", "USED": "good", "USED_PERS": "good", "ERROR": "bad"}


def opennebula_tables(location: OpenNebulaLocation, limit: int) -> Sequence[Markup]:
    """Return the tables of a cloud, each of at most this many rows."""
    name = location.name
    vms = location.oned.newest_documents(limit)
    with location.oned.lock:
        books = location.oned.books
        newest = sorted(books.images.values(), key=lambda image: -image.id)
        volumes = [_row(name, image, books) for image in newest if image.type == _DATABLOCK][:limit]
        images = [_row(name, image, books) for image in newest if image.type != _DATABLOCK][:limit]
    return (
        vm_table(name, vms),
        table(f"volumes-{name}", "Volumes", _HEADINGS, volumes, "No volume yet."),
        table(f"images-{name}", "Images", _HEADINGS, images, "No image yet."),
    )


def _row(location: str, image: Image, books: Books) -> Row:
    name = ImageState(image.state).name
    return Row(
        f"image-{location}-{image.id}",
        image.name,
        [
            str(image.id),
            books.uname(image.uid),
            state(name, _MOODS.get(name, "moving"), image.template.single("ERROR")),
            f"{image.size} MiB",
            moment(image.regtime),
            ", ".join(map(str, image.vms)),
        ],
    )
