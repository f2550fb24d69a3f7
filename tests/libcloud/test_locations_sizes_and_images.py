"""Locations, sizes and images."""

from __future__ import annotations

import dataclasses
import inspect
import io
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from libcloud.common.types import LibcloudError
from libcloud.compute.base import NodeDriver, NodeImage, NodeLocation, NodeSize

from stratuslab.client import ImageMetadata
from stratuslab.client.errors import ConfigurationError, InvalidArgumentError, NotFoundError
from stratuslab.client.marketplace.marketplace import Marketplace
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver, StratusLabNodeSize
from tests.libcloud.conftest import NOTHING

if TYPE_CHECKING:
    from stratuslab.sandbox import Sandbox

SECTIONS = """
[default]
selected_section = lyon
username = alice
password = s3cret
[paris]
name = "Paris"
country = 'FR'
endpoint = paris.example.org
[lyon]
endpoint = lyon.example.org
[instance_types]
big.one = 8, 16384, 0
"""


def configured(text: str, **arguments: Any) -> StratusLabNodeDriver:
    return StratusLabNodeDriver("default", stratuslab_user_config=io.StringIO(text), **arguments)


def test_locations_are_the_sections_in_their_order() -> None:
    locations = configured(SECTIONS).list_locations()

    assert isinstance(locations, list)
    assert all(isinstance(location, NodeLocation) for location in locations)
    assert [(where.id, where.name, where.country) for where in locations] == [
        ("paris", "Paris", "FR"),
        ("lyon", "lyon", "unknown"),
    ]


def test_default_location_is_the_argument_else_the_selected_section() -> None:
    assert configured(SECTIONS).default_location.id == "lyon"
    assert configured(SECTIONS, stratuslab_default_location="paris").default_location.id == "paris"


def test_the_default_section_is_a_location_only_when_chosen() -> None:
    driver = configured(SECTIONS, stratuslab_default_location="default")

    assert [where.id for where in driver.list_locations()] == ["default", "paris", "lyon"]


def test_an_unknown_default_location_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"'rome'.*paris, lyon"):
        configured(SECTIONS, stratuslab_default_location="rome")


def test_a_bad_section_is_no_obstacle_to_the_use_of_another(sandbox: Sandbox) -> None:
    both = configured(sandbox.config_file.read_text() + "\n[broken]\nendpoint = ftp://nowhere\n")

    assert both.list_nodes(ex_location=both.list_locations()[0]) == []
    with pytest.raises(ConfigurationError, match=r"section \[broken\], key endpoint: begins with ftp://"):
        both.list_nodes(ex_location=both.list_locations()[1])


def test_a_bad_name_of_a_section_is_no_obstacle_to_the_use_of_another(sandbox: Sandbox) -> None:
    text = sandbox.config_file.read_text() + "\n[broken]\nname = 100%\nendpoint = cloud.example.org\n"
    here, broken = configured(text).list_locations()

    assert (here.name, broken.name, broken.country) == ("StratusLab at here", "broken", "unknown")
    with pytest.raises(ConfigurationError, match=r"section \[broken\], key name: holds a single percent"):
        configured(text).list_volumes(broken)


def test_a_bad_instance_type_is_no_obstacle_to_nodes(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    bad = configured(sandbox.config_file.read_text() + "\n[instance_types]\nbig = many\n")
    size = NodeSize("x", "x", 512, 0, NOTHING, NOTHING, bad)
    node = bad.create_node("web", size, bad.list_images()[0])

    assert [listed.size.ram for listed in bad.list_nodes()] == [512]
    assert "key big: found 'many'" in caplog.text
    assert node.destroy()
    with pytest.raises(ConfigurationError, match=r"section \[instance_types\], key big: found 'many'"):
        bad.list_sizes()


def test_sizes_are_the_standard_types_and_those_of_the_file() -> None:
    sizes = configured(SECTIONS).list_sizes()

    assert isinstance(sizes, list)
    assert [size.id for size in sizes] == [
        "t1.micro",
        "m1.small",
        "m1.medium",
        "m1.large",
        "m1.xlarge",
        "c1.medium",
        "c1.xlarge",
        "big.one",
    ]
    large = sizes[3]
    assert isinstance(large, StratusLabNodeSize)
    assert (large.cpu, large.ram, large.swap, large.disk) == (2, 6144, 6144, 0)
    assert (large.bandwidth, large.price) == (None, None)
    assert large.extra == {"cpu": 2, "swap": 6144}
    assert "cpu=2" in repr(large)


def test_no_swap_is_none_whatever_the_disk() -> None:
    size = StratusLabNodeSize("x", "x", 1024, 333, NOTHING, NOTHING, configured(SECTIONS), cpu=1, swap=0)
    assert (size.swap, size.extra["swap"]) == (0, 0)


def test_a_size_made_as_in_14_06_keeps_its_swap() -> None:
    size = StratusLabNodeSize("x", "x", 1024, 333, 1000, 1, configured(SECTIONS), cpu=3)

    assert (size.cpu, size.ram, size.swap, size.disk) == (3, 1024, 333, 0)


@pytest.mark.parametrize(
    "location", ["rome", NodeLocation("rome", "Rome", "IT", NOTHING)], ids=["text", "foreign"]
)
def test_a_foreign_location_is_refused(location: object) -> None:
    driver = configured(SECTIONS)

    with pytest.raises(InvalidArgumentError, match="give one of list_locations"):
        driver.list_sizes(location)  # type: ignore[arg-type]


def test_host_key_and_secret_make_one_location(sandbox: Sandbox) -> None:
    driver = StratusLabNodeDriver("demo", "demo-pass", host=f"{sandbox.url}/here")

    assert len(driver.list_locations()) == 1
    assert driver.list_nodes() == []
    assert driver.list_images()
    assert driver.list_volumes() == []
    assert [size.id for size in driver.list_sizes()][:2] == ["t1.micro", "m1.small"]


@pytest.mark.parametrize("secure", [True, "True", "true", 1, False, "False", 0], ids=repr)
def test_secure_and_port_may_be_text_as_in_configuration_files(secure: Any) -> None:
    port: Any = "8443"
    driver = StratusLabNodeDriver("demo", "x", secure, "127.0.0.1", port)

    scheme = "http" if secure in (False, "False", 0) else "https"
    assert driver.connection.endpoint.url == f"{scheme}://127.0.0.1:8443/one-proxy/pswd/xmlrpc"


def test_the_constructor_takes_what_libclouds_own_takes() -> None:
    def parameters(function: Any) -> list[tuple[str, Any]]:
        found = inspect.signature(function).parameters.values()
        return [(it.name, it.default) for it in found if it.kind is it.POSITIONAL_OR_KEYWORD][2:]

    assert parameters(StratusLabNodeDriver.__init__) == parameters(NodeDriver.__init__)
    driver = StratusLabNodeDriver("demo", "x", True, "cloud.example.org", None, "2", "Europe")
    assert (driver.api_version, driver.region) == ("2", "Europe")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"key": "x", "secret": "y", "secure": "maybe"}, "argument secure: found 'maybe'; give True or"),
        ({"key": None, "secret": "x"}, "argument key: is missing"),
        ({"key": "x", "secret": None}, "argument secret: is missing"),
        ({"key": "x", "secret": "y", "stratuslab_default_location": "z"}, "not both"),
        ({"key": "x", "secret": "y", "port": "ninety"}, "argument port: found 'ninety'"),
        ({"key": "x", "secret": "y", "timeout": "soon"}, "argument timeout: found 'soon'"),
        ({"key": "x", "secret": "y", "ex_state_max_age": -1}, "argument ex_state_max_age: found -1"),
    ],
)
def test_constructor_refuses_what_makes_no_cloud(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        StratusLabNodeDriver(host="cloud.example.org", **arguments)  # type: ignore[arg-type]


def test_options_may_be_text_as_they_come_out_of_configuration_files() -> None:
    driver = StratusLabNodeDriver(
        "u",
        "p",
        host="cloud.example.org",
        port="443",  # type: ignore[arg-type]
        timeout="7",  # type: ignore[arg-type]
        ex_state_max_age="0.5",  # type: ignore[arg-type]
    )

    assert driver.ex_state_max_age == 0.5
    assert driver.connection.timeout == 7.0


def test_features_are_the_drivers_own() -> None:
    from libcloud.compute.base import NodeDriver

    assert StratusLabNodeDriver.features == {"create_node": ["ssh_key"]}
    assert NodeDriver.features == {"create_node": []}


@pytest.mark.parametrize("newest_first", [True, False])
def test_of_several_endorsements_the_newest_counts(
    driver: StratusLabNodeDriver, monkeypatch: pytest.MonkeyPatch, newest_first: bool
) -> None:
    twice = next(image for image in driver.list_images() if len(image.extra["endorsers"]) == 2)
    fields = {field.name: twice.extra[field.name] for field in dataclasses.fields(ImageMetadata)}
    entries = [
        ImageMetadata(
            **{**fields, "endorser": f"{year}", "endorsed": datetime(year, 1, 1, tzinfo=timezone.utc)}
        )
        for year in ((2014, 2012) if newest_first else (2012, 2014))
    ]
    monkeypatch.setattr(Marketplace, "_entries", lambda *_: entries)

    assert driver.get_image(twice.id).extra["endorser"] == "2014"
    assert [image.extra["endorsers"] for image in driver.list_images()] == [["2014", "2012"]]


def test_images_are_one_an_identifier_with_everything_in_extra(
    sandbox: Sandbox, driver: StratusLabNodeDriver
) -> None:
    images = driver.list_images()

    assert isinstance(images, list)
    assert all(isinstance(image, NodeImage) for image in images)
    assert len({image.id for image in images}) == len(images) >= 5
    assert all(image.extra["kind"] != "disk" for image in images)
    twice = next(image for image in images if len(image.extra["endorsers"]) == 2)
    assert twice.extra["endorser"] == twice.extra["endorsers"][0]
    base = sandbox.endpoints["here"]["marketplace_endpoint"]
    assert twice.extra["url"] == f"{base}/metadata/{twice.id}"
    assert sandbox.request_log.operations() == ["GET /metadata"]


def test_image_names_are_title_else_description_else_system_else_identifier(
    driver: StratusLabNodeDriver, sandbox: Sandbox
) -> None:
    images = driver.list_images()

    for image in images:
        extra = image.extra
        system = " ".join(part for part in (extra["os"], extra["os_version"]) if part)
        expected = extra["title"] or extra["description"] or system or image.id
        assert image.name == " ".join(expected.split())
    assert {bool(image.extra["title"]) for image in images} == {True, False}


@pytest.mark.parametrize("kind", ["disk", "machine", "all"])
def test_images_of_a_kind(driver: StratusLabNodeDriver, kind: str) -> None:
    kinds = {image.extra["kind"] for image in driver.list_images(ex_kind=kind)}

    said_or_not = {"disk": {"disk"}, "machine": {"machine", None}, "all": {"disk", "machine", None}}
    assert kinds == said_or_not[kind]


def test_expired_and_deprecated_images_are_listed_on_request(driver: StratusLabNodeDriver) -> None:
    valid = {image.id for image in driver.list_images()}
    expired = {image.id for image in driver.list_images(ex_status="expired")}
    deprecated = driver.list_images(ex_status="deprecated")

    assert expired
    assert not expired & valid
    assert {bool(image.extra["deprecated"]) for image in deprecated} == {True}
    everything = {image.id for image in driver.list_images(ex_status="all", ex_kind="all")}
    assert everything >= valid | expired | {image.id for image in deprecated}


def test_images_are_found_by_text_in_any_case(driver: StratusLabNodeDriver) -> None:
    image = driver.list_images()[0]

    assert image.id in {found.id for found in driver.list_images(ex_search=image.extra["os"].upper())}
    assert driver.list_images(ex_search="no such thing") == []
    no_text: Any = 7
    with pytest.raises(InvalidArgumentError, match="the argument ex_search: found 7; give text"):
        driver.list_images(ex_search=no_text)


@pytest.mark.parametrize("arguments", [{"ex_kind": "cd"}, {"ex_status": "old"}])
def test_unknown_filters_of_images_are_refused(
    driver: StratusLabNodeDriver, sandbox: Sandbox, arguments: dict[str, Any]
) -> None:
    with pytest.raises(InvalidArgumentError, match="use one of"):
        driver.list_images(**arguments)
    assert len(sandbox.request_log) == 0


def test_an_empty_marketplace_has_no_images(driver: StratusLabNodeDriver, sandbox: Sandbox) -> None:
    catalogue = sandbox.location("here").catalogue
    for identifier in {image.id for image in driver.list_images(ex_status="all", ex_kind="all")}:
        catalogue.remove(identifier)

    assert driver.list_images() == []


def test_get_image_asks_once(driver: StratusLabNodeDriver, sandbox: Sandbox) -> None:
    image = driver.list_images()[0]
    sandbox.request_log.clear()

    found = driver.get_image(image.id)

    assert (found.id, found.name, found.extra["url"]) == (image.id, image.name, image.extra["url"])
    assert sandbox.request_log.operations() == ["GET /metadata/ID"]


def test_get_image_says_why_an_image_is_not_offered(driver: StratusLabNodeDriver, sandbox: Sandbox) -> None:
    first, second, third = (image.id for image in driver.list_images()[:3])
    catalogue = sandbox.location("here").catalogue
    catalogue.expire(first)
    catalogue.deprecate(second, "has a hole")
    catalogue.remove(third)

    with pytest.raises(NotFoundError, match=f"{first} expired on "):
        driver.get_image(first)
    with pytest.raises(NotFoundError, match=f"{second} is deprecated: has a hole"):
        driver.get_image(second)
    with pytest.raises(NotFoundError, match=f"{third} is unknown"):
        driver.get_image(third)


def test_get_image_refuses_what_is_no_identifier(driver: StratusLabNodeDriver, sandbox: Sandbox) -> None:
    with pytest.raises(InvalidArgumentError, match="27 letters, digits"):
        driver.get_image("../../etc/passwd")
    assert len(sandbox.request_log) == 0


def test_image_metadata_of_an_image_or_its_identifier(driver: StratusLabNodeDriver) -> None:
    image = driver.list_images()[0]

    assert driver.ex_get_image_metadata(image) == driver.ex_get_image_metadata(image.id)
    assert driver.ex_get_image_metadata(image).checksums["SHA-1"]


def test_every_function_that_the_cloud_lacks_says_so(driver: StratusLabNodeDriver) -> None:
    calls = {
        "create_image": (None, "x"),
        "delete_image": (None,),
        "copy_image": ("x", None, "y"),
        "list_volume_snapshots": (None,),
        "create_volume_snapshot": (None,),
        "destroy_volume_snapshot": (None,),
        "list_key_pairs": (),
        "get_key_pair": ("x",),
        "create_key_pair": ("x",),
        "import_key_pair_from_string": ("x", "y"),
        "import_key_pair_from_file": ("x", "y"),
        "delete_key_pair": (None,),
    }
    for name, arguments in calls.items():
        with pytest.raises(NotImplementedError) as refusal:
            getattr(driver, name)(*arguments)
        assert len(str(refusal.value).split()) > 5, name


def test_a_configuration_error_is_a_libcloud_error() -> None:
    with pytest.raises(LibcloudError):
        StratusLabNodeDriver("default", stratuslab_user_config="/nowhere/at/all")


def test_any_drivers_size_is_a_size() -> None:
    assert issubclass(StratusLabNodeSize, NodeSize)
