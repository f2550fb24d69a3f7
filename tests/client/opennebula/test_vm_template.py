from __future__ import annotations

import base64
import gzip
import random
import string
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from stratuslab.client import ImageDescription, VmTemplate, Vnc
from stratuslab.client.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable


IMAGE = "https://images.example.org/metadata/BEE8-MMAw-Lk_IgsEExAy3d9R8h"
VOLUME = "pdisk:https://disks.example.org/pdisk/29eca93d-3832-4721-bfe4-3d15a6efa2df"
Parts: TypeAlias = "list[tuple[str, str | dict[str, str]]]"
NO_TEXT: Any = None
TEXT: Any = "5900"
KEY = "ssh-ed25519 AAAAC3Nza alice@example.org"


def template(**options: Any) -> VmTemplate:
    given: dict[str, Any] = {"source": IMAGE, "cpu": 1, "ram_mib": 1536} | options
    return VmTemplate(**given)


@pytest.fixture
def parts(read_template: Callable[[str], list[tuple[str, str | dict[str, str]]]]) -> Callable[..., Parts]:
    """The template of some options as a list of (name, value or items)."""
    return lambda **options: read_template(template(**options).text())


@pytest.fixture
def part(parts: Callable[..., Parts]) -> Callable[..., Any]:
    """The only value or items of one name."""

    def only(wanted: str, **options: Any) -> str | dict[str, str]:
        [found] = [value for key, value in parts(**options) if key == wanted]
        return found

    return only


@pytest.fixture
def disks(parts: Callable[..., Parts]) -> Callable[..., list[Any]]:
    return lambda **options: [items for name, items in parts(**options) if name == "DISK"]


def test_the_least_that_a_vm_needs(parts: Callable[..., Parts]) -> None:
    assert parts() == [
        ("CPU", "1"),
        ("VCPU", "1"),
        ("MEMORY", "1536"),
        ("RANK", "- RUNNING_VMS"),
        ("DISK", {"SOURCE": IMAGE, "TARGET": "hda", "SAVE": "no", "READONLY": "no"}),
        ("NIC", {"NETWORK": "public", "NETWORK_UNAME": "oneadmin"}),
        ("GRAPHICS", {"PORT": "-1", "TYPE": "vnc"}),
        ("CONTEXT", {"TARGET": "hdd"}),
    ]


def test_everything_at_once(parts: Callable[..., Parts]) -> None:
    found = parts(
        cpu=2,
        ram_mib=4096,
        swap_mib=1024,
        name='a "web" server',
        cpu_share=0.5,
        disk_bus="virtio",
        disk_format="qcow2",
        volatile_disk_mib=2048,
        volumes=[VOLUME],
        readonly_images=[IMAGE],
        network="private",
        ip_address="192.0.2.7",
        requirements='ARCH = "x86_64"',
        public_keys=KEY,
        context={"motd": "hello"},
        inbound_ports=["22", "443"],
        kernel="/boot/kernel",
        initrd="/boot/initrd",
        raw_data="<devices/>",
        vnc=Vnc(port=5905, listen="192.0.2.1"),
        token="0f5c",
        save_as=ImageDescription(
            "alice@example.org", "Alice", "Mine", "All mine", "1.0", "https://m.example.org"
        ),
    )
    assert found == [
        ("CPU", "0.5"),
        ("VCPU", "2"),
        ("MEMORY", "4096"),
        ("RANK", "- RUNNING_VMS"),
        ("REQUIREMENTS", 'ARCH = "x86_64"'),
        ("NAME", 'a "web" server'),
        ("OS", {"KERNEL": "/boot/kernel", "INITRD": "/boot/initrd"}),
        ("DISK", {"SOURCE": IMAGE, "TARGET": "vda", "SAVE": "yes", "READONLY": "no", "DRIVER": "qcow2"}),
        ("DISK", {"TYPE": "swap", "SIZE": "1024", "TARGET": "vdb", "READONLY": "no"}),
        (
            "DISK",
            {
                "TYPE": "fs",
                "FORMAT": "ext3",
                "SIZE": "2048",
                "READONLY": "no",
                "SAVE": "no",
                "TARGET": "vdc",
            },
        ),
        ("DISK", {"TYPE": "block", "SOURCE": VOLUME, "TARGET": "vdd"}),
        ("DISK", {"SOURCE": IMAGE, "READONLY": "no", "SAVE": "no", "DRIVER": "raw", "TARGET": "vde"}),
        ("NIC", {"NETWORK": "private", "NETWORK_UNAME": "oneadmin", "IP": "192.0.2.7"}),
        ("GRAPHICS", {"PORT": "5905", "TYPE": "vnc", "LISTEN": "192.0.2.1"}),
        ("RAW", {"TYPE": "kvm", "DATA": "<devices/>"}),
        ("CONTEXT", {"PUBLIC_KEY": f"{KEY}\n", "MOTD": "hello", "TARGET": "hdd"}),
        (
            "CREATE_IMAGE",
            {
                "CREATOR_EMAIL": "alice@example.org",
                "CREATOR_NAME": "Alice",
                "NEWIMAGE_TITLE": "Mine",
                "NEWIMAGE_COMMENT": "All mine",
                "NEWIMAGE_VERSION": "1.0",
                "NEWIMAGE_MARKETPLACE": "https://m.example.org",
            },
        ),
        ("INBOUND_PORTS", "22,443"),
        ("LIBCLOUD_TOKEN", "0f5c"),
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"name": None},
        {"name": ""},
        {"swap_mib": 0},
        {"requirements": ""},
        {"kernel": "", "initrd": None},
        {"raw_data": ""},
        {"public_keys": ""},
        {"public_keys": "\n \nComment: mine\n"},
        {"inbound_ports": []},
        {"token": ""},
        {"ip_address": ""},
        {"disk_format": ""},
        {"context": {}},
    ],
    ids=repr,
)
def test_what_is_not_given_is_not_sent(parts: Callable[..., Parts], options: dict[str, Any]) -> None:
    assert parts(**options) == parts()


@pytest.mark.parametrize(("given", "sent"), [(1, "1"), (0.25, "0.25"), (1.5, "1.5"), (2.0, "2")])
def test_the_share_of_the_host_s_cpus(part: Callable[..., Any], given: float, sent: str) -> None:
    assert part("CPU", cpu=4, cpu_share=given) == sent
    assert part("VCPU", cpu=4, cpu_share=given) == "4"


@pytest.mark.parametrize(("option", "key"), [("kernel", "KERNEL"), ("initrd", "INITRD")])
def test_kernel_and_initrd_go_each_by_itself(part: Callable[..., Any], option: str, key: str) -> None:
    assert part("OS", **{option: "/boot/x"}) == {key: "/boot/x"}


@pytest.mark.parametrize(
    ("vnc", "items"),
    [
        (Vnc(), {"PORT": "-1", "TYPE": "vnc"}),
        (Vnc(port=0), {"PORT": "0", "TYPE": "vnc"}),
        (Vnc(port=5900), {"PORT": "5900", "TYPE": "vnc"}),
        (Vnc(listen="127.0.0.1"), {"PORT": "-1", "TYPE": "vnc", "LISTEN": "127.0.0.1"}),
    ],
    ids=repr,
)
def test_the_display(part: Callable[..., Any], vnc: Vnc, items: dict[str, str]) -> None:
    assert part("GRAPHICS", vnc=vnc) == items


def test_without_display(parts: Callable[..., Parts]) -> None:
    assert "GRAPHICS" not in dict(parts(vnc=None))


@pytest.mark.parametrize("network", ["public", "local", "private"])
def test_networks(part: Callable[..., Any], network: str) -> None:
    assert part("NIC", network=network)["NETWORK"] == network


@pytest.mark.parametrize(
    ("bus", "targets"),
    [
        ("ide", ["hda", "hdb", "hdc", "vdd", "vde", "vdf"]),
        ("scsi", ["sda", "sdb", "sdc", "sdd", "sde", "sdf"]),
        ("virtio", ["vda", "vdb", "vdc", "vdd", "vde", "vdf"]),
    ],
)
def test_targets_follow_the_bus(disks: Callable[..., list[Any]], bus: str, targets: list[str]) -> None:
    extra = {"volatile_disk_mib": 1, "volumes": [VOLUME, VOLUME], "readonly_images": [IMAGE]}
    found = disks(disk_bus=bus, swap_mib=1, **extra)
    assert [disk["TARGET"] for disk in found] == targets
    assert [disk.get("TYPE") for disk in found] == [None, "swap", "fs", "block", "block", None]


@pytest.mark.parametrize("bus", ["ide", "scsi", "virtio"])
@pytest.mark.parametrize("swap_mib", [0, 512])
def test_no_two_disks_share_a_target_and_none_has_the_context_s(
    disks: Callable[..., list[Any]], part: Callable[..., Any], bus: str, swap_mib: int
) -> None:
    options = {"disk_bus": bus, "swap_mib": swap_mib, "volumes": [VOLUME] * 13}
    targets = [disk["TARGET"] for disk in disks(**options)]
    targets.append(part("CONTEXT", **options)["TARGET"])
    assert len(set(targets)) == len(targets)
    with pytest.raises(
        InvalidArgumentError,
        match="the argument volumes: found 14 disks besides root and swap; give 13 at most",
    ):
        template(disk_bus=bus, volumes=[VOLUME] * 12, volatile_disk_mib=1, readonly_images=[IMAGE]).text()


def test_without_a_key_there_is_no_public_key(part: Callable[..., Any]) -> None:
    assert part("CONTEXT", context_method="cloud-init") == {"CONTEXT_METHOD": "cloud-init", "TARGET": "hdd"}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (KEY, f"{KEY}\n"),
        (f"{KEY}\n", f"{KEY}\n"),
        (f"\n  {KEY}\t\r\n\n{KEY}2\r\n", f"{KEY}\n{KEY}2\n"),
        (f"Comment: mine\n{KEY}", f"{KEY}\n"),
        (f'from="192.0.2.0/24" {KEY}', f'from="192.0.2.0/24" {KEY}\n'),
    ],
    ids=["one", "line-end", "white-space", "comment", "options"],
)
def test_public_keys_are_sent_one_a_line(part: Callable[..., Any], given: str, sent: str) -> None:
    assert part("CONTEXT", public_keys=given)["PUBLIC_KEY"] == sent
    assert (
        base64.b64decode(
            part("CONTEXT", public_keys=given, context_method="cloud-init")["CLOUD_INIT_AUTHORIZED_KEYS"]
        )
        == sent.encode()
    )


@pytest.mark.parametrize(
    "private",
    [
        "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VjcmV0\n",
        f"{KEY}\n-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nc2VjcmV0\n",
        "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nc2VjcmV0\n",
        "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nc2VjcmV0\n",
    ],
    ids=["OpenSSH", "RSA", "encrypted", "after-a-public-one", "OpenPGP", "SSH2", "PuTTY"],
)
@pytest.mark.parametrize("method", ["one", "cloud-init"])
def test_a_private_key_is_refused_and_not_shown(private: str, method: str) -> None:
    with pytest.raises(InvalidArgumentError, match="the argument public_keys: found a private key") as caught:
        template(public_keys=private, context_method=method).text()
    assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.parametrize(
    "user_data",
    [
        "#!/bin/sh\necho $HOME | tr '\"' \\\\\n",
        b"\x00\xff binary \r\n",
        "#cloud-config\nname: Grüße 😀\n",
        "",
    ],
    ids=["script", "bytes", "unicode", "empty"],
)
@pytest.mark.parametrize("method", ["one", "cloud-init"])
def test_user_data_ask_for_cloud_init_and_come_back_unchanged(
    part: Callable[..., Any], user_data: bytes | str, method: str
) -> None:
    context = part("CONTEXT", user_data=user_data, context_method=method)
    assert context["CONTEXT_METHOD"] == "cloud-init"
    decoded = gzip.decompress(base64.b64decode(context["CLOUD_INIT_USER_DATA"], validate=True))
    assert decoded == (user_data.encode() if isinstance(user_data, str) else user_data)


def test_the_same_user_data_give_the_same_text() -> None:
    assert template(user_data="#!/bin/sh").text() == template(user_data="#!/bin/sh").text()


def test_user_data_may_be_long_if_they_compress_well(part: Callable[..., Any]) -> None:
    assert part("CONTEXT", user_data="a" * 1_000_000)["CLOUD_INIT_USER_DATA"]
    noise = "".join(random.Random(0).choices(string.printable, k=30_000))
    with pytest.raises(
        InvalidArgumentError, match=r"user_data: has \d+ bytes when compressed; .* 16384 at most"
    ):
        template(user_data=noise).text()


def test_context_keys_are_put_in_capitals_and_values_kept(part: Callable[..., Any]) -> None:
    context = part("CONTEXT", context={"motd": 'say "a, b = [c]" # \\d\n', "X_1": "é"})
    assert context == {"MOTD": 'say "a, b = [c]" # \\d\n', "X_1": "é", "TARGET": "hdd"}


def test_context_values_with_variables_are_fine_in_user_data_and_not_elsewhere() -> None:
    assert template(user_data="$HOME").text()
    assert template(name="$HOME", raw_data="$HOME", kernel="/$HOME").text()


def test_an_image_may_be_made_with_the_creator_s_address_alone(part: Callable[..., Any]) -> None:
    assert part("CREATE_IMAGE", save_as=ImageDescription("alice@example.org")) == {
        "CREATOR_EMAIL": "alice@example.org"
    }


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"source": ""}, "the argument source: is empty"),
        ({"source": None}, "the argument source: found a NoneType; give text"),
        ({"save_as": ImageDescription(NO_TEXT)}, "the argument save_as.creator_email: found a NoneType"),
        ({"cpu": 0}, "the argument cpu: found 0; give a whole number from 1"),
        ({"cpu": 1.0}, "the argument cpu: found 1.0; give a whole number from 1"),
        ({"cpu": True}, "the argument cpu: found True; give a whole number from 1"),
        ({"ram_mib": 0}, "the argument ram_mib: found 0; give a whole number from 1"),
        ({"ram_mib": "512"}, "the argument ram_mib: found '512'; give a whole number from 1"),
        ({"swap_mib": -1}, "the argument swap_mib: found -1; give a whole number from 0"),
        ({"volatile_disk_mib": 0}, "the argument volatile_disk_mib: found 0; give a whole number from 1"),
        ({"cpu_share": 0}, "the argument cpu_share: found 0; give a number above 0"),
        ({"cpu_share": -0.5}, "the argument cpu_share: found -0.5; give a number above 0"),
        ({"cpu_share": float("inf")}, "the argument cpu_share: found inf; give a number above 0"),
        ({"cpu_share": float("nan")}, "the argument cpu_share: found nan; give a number above 0"),
        ({"name": "a" * 129}, "the argument name: has 129 characters; OpenNebula takes 128 at most"),
        ({"name": "é" * 65}, "the argument name: has 130 bytes in UTF-8; OpenNebula takes 128 at most"),
        ({"name": "\ud800"}, "the argument name: holds the character U+D800"),
        ({"context_method": "amazon"}, "the argument context_method: found 'amazon'; use one or cloud-init"),
        ({"vnc": Vnc(port=TEXT)}, "the argument vnc.port: found '5900'; give a number from 0 to 65535"),
        ({"vnc": Vnc(port=-1)}, "the argument vnc.port: found -1; give"),
        ({"vnc": Vnc(port=65536)}, "the argument vnc.port: found 65536; give"),
        ({"vnc": Vnc(port=True)}, "the argument vnc.port: found True; give"),
        ({"name": "a<b"}, "the argument name: holds '<', which OpenNebula does not allow in names"),
        ({"name": "a&b"}, "the argument name: holds '&', which OpenNebula does not allow in names"),
        ({"name": "a\\"}, "the argument name: ends with a backslash"),
        ({"user_data": "\ud800"}, "the argument user_data: has text with a surrogate"),
        ({"disk_bus": "sata"}, "the argument disk_bus: found 'sata'; use ide, scsi, virtio"),
        ({"disk_format": "raw\0"}, "the argument disk_format: holds the character U+0000"),
        ({"volumes": [""]}, "the argument volumes: is empty"),
        ({"readonly_images": ["a\\"]}, "the argument readonly_images: ends with a backslash"),
        ({"network": "vpn"}, "the argument network: found 'vpn'; use public, local, private"),
        ({"ip_address": "192.0.2"}, "the argument ip_address: found '192.0.2'; give an IPv4 address"),
        ({"ip_address": "2001:db8::7"}, "the argument ip_address: found '2001:db8::7'; give an IPv4 address"),
        ({"requirements": "1 $ 2"}, "the argument requirements: holds a $"),
        ({"public_keys": f"$ {KEY}"}, "the argument public_keys: holds a $"),
        ({"context": {"a-b": "x"}}, "the argument context: found the key 'a-b'"),
        ({"context": {"a": "x", "A": "y"}}, "the argument context: the key A is set already"),
        ({"context": {"target": "x"}}, "the argument context: the key TARGET is set already"),
        ({"context": {"context_method": "x"}}, "the argument context: the key CONTEXT_METHOD is set already"),
        (
            {"context": {"cloud_init_authorized_keys": "x"}},
            "the argument context: the key CLOUD_INIT_AUTHOR",
        ),
        ({"context": {"public_key": "x"}}, "the argument context: the key PUBLIC_KEY is set already"),
        (
            {"context": {"cloud_init_user_data": "x"}},
            "the argument context: the key CLOUD_INIT_USER",
        ),
        ({"context": {"a": 5}}, "the argument context['a']: found a int; give a string"),
        ({"context": {"a": None}}, "the argument context['a']: found a NoneType; give a string"),
        ({"context": {"a": ""}}, "the argument context['a']: is empty"),
        ({"context": {"a": "$"}}, "the argument context['a']: holds a $, which OpenNebula replaces"),
        ({"context": {"a": "]]>"}}, "the argument context['a']: holds ]]>"),
        ({"context": {"a": "😀"}}, "the argument context['a']: holds the character U+1F600"),
        ({"inbound_ports": [""]}, "the argument inbound_ports: is empty"),
        ({"kernel": "\\"}, "the argument kernel: ends with a backslash"),
        ({"raw_data": "]]>"}, "the argument raw_data: holds ]]>"),
        ({"vnc": Vnc(listen="\\")}, "the argument vnc.listen: ends with a backslash"),
        ({"save_as": ImageDescription("")}, "the argument save_as.creator_email: is empty"),
        (
            {"save_as": ImageDescription("a", title="😀")},
            "the argument save_as.title: holds the character",
        ),
    ],
    ids=repr,
)
def test_what_opennebula_would_not_take_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        template(**options).text()
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"source": 7}, "the argument source: found a int; give text"),
        ({"name": 7}, "the argument name: found a int; give text"),
        ({"name": b"web"}, "the argument name: found a bytes; give text"),
        ({"disk_bus": ["ide"]}, "the argument disk_bus: found a list; give text"),
        ({"disk_format": 7}, "the argument disk_format: found a int; give text"),
        ({"ip_address": 7}, "the argument ip_address: found a int; give text"),
        ({"requirements": 7}, "the argument requirements: found a int; give text"),
        ({"public_keys": KEY.encode()}, "the argument public_keys: found a bytes; give text"),
        ({"kernel": 7}, "the argument kernel: found a int; give text"),
        ({"initrd": 7}, "the argument initrd: found a int; give text"),
        ({"raw_data": 7}, "the argument raw_data: found a int; give text"),
        ({"token": 7}, "the argument token: found a int; give text"),
        ({"context": [("a", "b")]}, "the argument context: found a list; give a dictionary"),
        ({"context": "a=b"}, "the argument context: found a str; give a dictionary"),
        ({"user_data": 7}, "the argument user_data: found a int; give text or bytes"),
        ({"vnc": 5900}, "the argument vnc: found a int; give a Vnc, or None for none"),
        ({"save_as": "alice@example.org"}, "the argument save_as: found a str; give an ImageDescription"),
    ],
    ids=repr,
)
def test_what_is_of_another_kind_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        template(**options)
    assert str(caught.value) == text


def test_a_name_of_128_bytes_is_taken(part: Callable[..., Any]) -> None:
    assert part("NAME", name="é" * 64) == "é" * 64
    assert part("NAME", name="e" * 128) == "e" * 128
