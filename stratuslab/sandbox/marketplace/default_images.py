"""The images with which a sandbox starts: of all the kinds that real Marketplaces had."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from stratuslab.sandbox.marketplace.image_entry import ImageEntry, identifier_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAY = 86_400.0
_VALIDITY = 3650 * _DAY

_GB = 10**9


def default_images(now: float) -> Iterator[ImageEntry]:
    """Yield the entries, with their dates around `now` (Unix seconds).

    Six valid machine images, one of them endorsed twice; a disk image; an expired image; a deprecated one.
    """
    ttylinux = replace(
        _image("ttylinux-14.1-x86_64", "1.2", "img.gz", now - 30 * _DAY, size_bytes=41_943_040),
        title="ttylinux 14.1",
        description="A tiny Linux for tests: boots in seconds, cannot hot-plug disks.",
        alternatives=("ttylinux",),
    )
    yield ttylinux
    yield replace(
        ttylinux,
        email="bob@example.net",
        subject="CN=Bob Builder,OU=Images,O=Example Site,C=FR",
        issuer="CN=Example Site CA,O=Example Site,C=FR",
        endorsed=now - 3 * _DAY,
        publisher="Example Site",
    )
    yield replace(
        _image("ubuntu-14.04-amd64", "1.0", "qcow2.gz", now - 25 * _DAY, size_bytes=5 * _GB),
        title="Ubuntu 14.04 LTS server",
        description="Ubuntu 14.04 LTS with cloud-init. Log in as root, with an SSH key.",
        alternatives=("ubuntu", "trusty"),
        os="Ubuntu",
        serial_number="3",
        disks_bus="virtio",
        inbound_ports=(22, 80, 443),
        icmp=(8,),
        locations=(
            "http://images.example.org/base/ubuntu-14.04-amd64-base-1.0.qcow2.gz",
            "http://mirror.example.net/base/ubuntu-14.04-amd64-base-1.0.qcow2.gz",
        ),
    )
    yield replace(
        _image("centos-6.5-x86_64", "2.1", "img.bz2", now - 20 * _DAY, size_bytes=5 * _GB),
        description="\n\n    CentOS 6.5 minimal installation.\n    Updated at its first boot.\n    ",
        os="CentOS",
        disks_bus="scsi",
    )
    yield replace(
        _image("debian-7.4-i386", "0.9", "img", now - 15 * _DAY, size_bytes=2 * _GB),
        title="Système éphémère ☁ mémoire vive seulement",
        description="Debian 7 en mémoire: rien n'est gardé. <Ne pas utiliser> pour R&D à long terme.",
        disks_bus="ide",
        hypervisor=None,
        inbound_ports=(22,),
        outbound_ports=(25, 53),
    )
    yield replace(
        _image("fedora-20-x86_64", "1.0", "qcow2.gz", now - 10 * _DAY, size_bytes=4 * _GB),
        title="",
        os="Fedora",
        os_arch="64",
        disks_bus="virtio",
        kind=None,
        creator=None,
        locations=("https://images.example.org/base/fedora-20-x86_64-base-1.0.qcow2.gz",),
    )
    yield replace(
        _image("opensuse-13.1-x86_64", "1.1", "img", now - 8 * _DAY, size_bytes=4 * _GB),
        title="openSUSE 13.1 with a grid worker node",
        description="Saved from a running machine; its image is on the persistent disk service.",
        type="grid",
        os="openSUSE",
        inbound_ports=(0,),
        locations=("pdisk:pdisk.example.org:8445/0f7a1030-d3b0-43ed-b222-9122783209c4",),
        related_images=(ttylinux.identifier, identifier_of(_digest("sha1", "ubuntu-14.04-amd64"))),
    )
    yield replace(
        _image("reference-genomes-2014", "2014-03", "img.gz", now - 12 * _DAY, size_bytes=100 * _GB),
        title="Reference genomes, release 2014-03",
        description="A read-only disk with data, to be used beside the image of a machine.",
        type="disk",
        kind="disk",
        os="none",
        os_version="none",
        os_arch="none",
        hypervisor=None,
        locations=("http://images.example.org/data/reference-genomes-2014-03.img.gz",),
    )
    yield replace(
        _image("ubuntu-10.04-i386", "1.4", "img.gz", now - 400 * _DAY, size_bytes=2 * _GB),
        valid=now - 220 * _DAY,
        title="Ubuntu 10.04 LTS server",
        description="Ubuntu 10.04 LTS, not renewed by its endorser.",
    )
    yield replace(
        _image("centos-6.2-x86_64", "1.7", "img.gz", now - 200 * _DAY, size_bytes=5 * _GB),
        title="CentOS 6.2",
        description="CentOS 6.2 minimal installation.",
        os="CentOS",
        deprecated="security: root has a known password",
    )


def _image(name: str, version: str, file_type: str, created: float, *, size_bytes: int) -> ImageEntry:
    os, os_version, os_arch = name.split("-")
    file_format, _, compression = file_type.partition(".")
    return ImageEntry(
        sha1=_digest("sha1", name),
        md5=_digest("md5", name),
        sha256=_digest("sha256", name),
        sha512=_digest("sha512", name),
        size_bytes=size_bytes,
        created=created,
        endorsed=created + _DAY,
        valid=created + _VALIDITY,
        email="images@example.org",
        subject="CN=Image Builder,OU=Appliances,O=StratusLab,C=EU",
        issuer="CN=StratusLab Test CA,O=StratusLab,C=EU",
        creator="Image Builder",
        os=os,
        os_version=os_version,
        os_arch=os_arch,
        version=version,
        compression=compression,
        format="qcow2" if file_format == "qcow2" else "raw",
        locations=(f"http://images.example.org/base/{name}-base-{version}.{file_type}",),
    )


def _digest(algorithm: str, name: str) -> str:
    return hashlib.new(algorithm, name.encode(), usedforsecurity=False).hexdigest()
