from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratuslab.client import InstanceType
from stratuslab.client.configuration.cloud import STANDARD_INSTANCE_TYPES
from stratuslab.client.errors import ConfigurationError

if TYPE_CHECKING:
    from tests.client.conftest import Configured


@pytest.mark.parametrize(
    "written",
    [
        "2, 4096, 1024",
        "2,4096,1024",
        "(2, 4096, 1024)",
        " 2 ,4096 , 1024 ",
        "2 4096 1024",
        "[2; 4096; 1024]",
        '"2, 4096, 1024,"',
        "2, 4096 MiB, 1024 MiB",
    ],
)
def test_the_file_s_own_are_added_to_the_standard_ones(
    written: str, configured: Configured, minimum: dict[str, str]
) -> None:
    types = configured(minimum, instance_types={"my.type": written}).instance_types()
    assert types["my.type"] == InstanceType("my.type", 2, 4096, 1024)
    assert types.keys() == {*STANDARD_INSTANCE_TYPES, "my.type"}


def test_the_file_s_own_replace_a_standard_one_of_that_name(
    configured: Configured, minimum: dict[str, str]
) -> None:
    types = configured(minimum, instance_types={"m1.small": "1, 100, 0"}).instance_types()
    assert types["m1.small"] == InstanceType("m1.small", 1, 100, 0)
    assert STANDARD_INSTANCE_TYPES["m1.small"].ram_mib == 1536


@pytest.mark.parametrize(
    "written",
    [
        "",
        "big",
        "1, 2",
        "1, 2, 3, 4",
        "1.5, 512, 0",
        "0, 512, 0",
        "-1, 512, 0",
        "1, 0, 0",
        "1, 512, -1",
        "1, 1, 1000000000",
    ],
)
def test_a_wrong_one_is_told_with_file_section_and_key(
    written: str, configured: Configured, minimum: dict[str, str]
) -> None:
    configurator = configured(minimum, instance_types={"good": "1, 1, 0", "my.type": written})
    expected = (
        f"the configuration file, section [instance_types], key my.type: found {written!r}; "
        "write CPUs, RAM in MiB and swap in MiB, as in 1, 2048, 1024"
    )
    types = configurator.cloud("default").instance_types
    for ask in (configurator.instance_types, lambda: types["my.type"]):
        with pytest.raises(ConfigurationError) as caught:
            ask()
        assert str(caught.value) == expected


def test_a_wrong_one_troubles_those_only_who_want_it(configured: Configured, minimum: dict[str, str]) -> None:
    cloud = configured(minimum, instance_types={"good": "1, 1, 0", "my.type": "big"}).cloud("default")
    assert cloud.instance_types["good"] == InstanceType("good", 1, 1, 0)
    assert list(cloud.instance_types) == [*STANDARD_INSTANCE_TYPES, "good", "my.type"]
    assert repr(cloud.instance_types) == repr([*STANDARD_INSTANCE_TYPES, "good", "my.type"])
    assert len(cloud.instance_types) == len(STANDARD_INSTANCE_TYPES) + 2
    assert "my.type" in cloud.instance_types
    assert "other" not in cloud.instance_types
    with pytest.raises(KeyError):
        cloud.instance_types["other"]


def test_what_configparser_shares_among_all_sections_is_no_instance_type(
    configured: Configured, minimum: dict[str, str]
) -> None:
    configurator = configured(minimum, DEFAULT={"country": "Europe"}, instance_types={"a": "1, 1, 0"})
    assert configurator.instance_types().keys() == {*STANDARD_INSTANCE_TYPES, "a"}
    assert configurator.cloud("default").country == "Europe"
