from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratuslab.client.errors import ConfigurationError

if TYPE_CHECKING:
    from tests.client.conftest import Configured


def test_default_is_none_where_another_is_selected(configured: Configured, minimum: dict[str, str]) -> None:
    configurator = configured({"selected_section": "b"}, b=minimum, a=minimum, instance_types={})
    assert configurator.selected_location == "b"
    assert configurator.locations() == ["b", "a"]


@pytest.mark.parametrize("selected", [{}, {"selected_section": ""}, {"selected_section": "default"}])
def test_default_is_one_where_it_is_selected_or_nothing_is(
    selected: dict[str, str], configured: Configured, minimum: dict[str, str]
) -> None:
    configurator = configured(minimum | selected, a=minimum)
    assert configurator.selected_location == "default"
    assert configurator.locations() == ["default", "a"]


def test_an_argument_selects_another(configured: Configured, minimum: dict[str, str]) -> None:
    configurator = configured(minimum | {"selected_section": "a"}, a={}, b={})
    assert configurator.locations("b") == ["a", "b"]
    assert configurator.locations("default") == ["default", "a", "b"]


def test_a_selected_section_that_is_none_is_refused(configured: Configured) -> None:
    configurator = configured({"selected_section": "nowhere"}, a={})
    with pytest.raises(ConfigurationError) as caught:
        configurator.locations()
    assert str(caught.value) == (
        "the configuration file, section [default], key selected_section: found 'nowhere', which is not a "
        "section of the configuration file; its sections are default, a"
    )


@pytest.mark.parametrize("name", ["nowhere", "instance_types"])
def test_a_location_that_is_none_is_refused(
    name: str, configured: Configured, minimum: dict[str, str]
) -> None:
    configurator = configured(minimum, instance_types={})
    with pytest.raises(ConfigurationError, match=f"the default location: found '{name}'"):
        configurator.locations(name)
    with pytest.raises(ConfigurationError, match=rf"has no section \[{name}\]"):
        configurator.cloud(name)
