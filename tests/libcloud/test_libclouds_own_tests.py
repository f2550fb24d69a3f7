"""Libcloud's own tests of a driver, on the sandbox."""

from __future__ import annotations

import unittest
from typing import TYPE_CHECKING

import libcloud.pricing
import pytest

# Not the mixin itself, which pytest would take for a test.
from libcloud.test import compute

from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS_OF_LIBCLOUD_3_9 = {
    "test_create_node_response",
    "test_destroy_node_response",
    "test_get_pricing_success",
    "test_list_images_response",
    "test_list_locations_response",
    "test_list_nodes_response",
    "test_list_sizes_response",
    "test_list_volumes_response",
    "test_reboot_node_response",
}


class TestContract(unittest.TestCase, compute.TestCaseMixin):
    should_list_locations = True
    should_list_volumes = True
    should_have_pricing = True

    @pytest.fixture(autouse=True)
    def _cloud_in_use(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A cloud with a running node and a volume, and a price for every size."""
        with Sandbox(locations=["here"], boot_seconds=0) as sandbox:
            self.driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
            sizes = self.driver.list_sizes()
            self.driver.create_node("web", sizes[0], self.driver.list_images()[0])
            self.driver.create_volume(1, "data")
            prices = libcloud.pricing.PRICING_DATA
            monkeypatch.setitem(prices, "compute", dict(prices["compute"]))
            libcloud.pricing.set_pricing("compute", self.driver.api_name, {size.id: 0.1 for size in sizes})
            yield

    def test_none_of_libclouds_tests_is_missing(self) -> None:
        assert {name for name in dir(self) if name.startswith("test_")} >= TESTS_OF_LIBCLOUD_3_9
