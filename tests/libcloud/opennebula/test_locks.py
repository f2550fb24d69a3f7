"""What is locked is refused as locked, not as somebody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratuslab.client.errors import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.libcloud.node import StratusLabNode
    from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
    from stratuslab.libcloud.volume import StratusLabVolume
    from stratuslab.sandbox import Sandbox

ORDERS: dict[str, Callable[..., object]] = {
    "destroy_node": lambda driver, node, _: driver.destroy_node(node),
    "stop_node": lambda driver, node, _: driver.stop_node(node),
    "reboot_node": lambda driver, node, _: driver.reboot_node(node),
    "attach_volume": lambda driver, node, volume: driver.attach_volume(node, volume),
    "create_image": lambda driver, node, _: driver.create_image(node, "mine"),
}


@pytest.fixture
def volume(driver: OpenNebulaNodeDriver) -> StratusLabVolume:
    return driver.create_volume(1, "data")


@pytest.fixture
def lock(sandbox: Sandbox) -> Callable[[str, str], None]:
    def locked(kind: str, number: str, level: int = 1) -> None:
        answer = sandbox.opennebula("here").oned.call(
            f"one.{kind}.lock", ["demo:demo-pass", int(number), level]
        )
        assert answer[0], answer

    return locked


@pytest.mark.parametrize("order", ORDERS)
def test_a_locked_node(
    driver: OpenNebulaNodeDriver,
    node: StratusLabNode,
    volume: StratusLabVolume,
    lock: Callable[[str, str], None],
    order: str,
) -> None:
    lock("vm", node.id)

    with pytest.raises(
        ForbiddenError, match=f"VM {node.id} is locked; its owner or an administrator"
    ) as caught:
        ORDERS[order](driver, node, volume)

    assert caught.value.code == 512
    assert [(found.id, found.state) for found in driver.list_nodes()] == [(node.id, "running")]


def test_a_locked_volume(
    driver: OpenNebulaNodeDriver,
    node: StratusLabNode,
    volume: StratusLabVolume,
    lock: Callable[[str, str], None],
) -> None:
    lock("image", volume.id)

    with pytest.raises(ForbiddenError, match=f"image {volume.id} is locked"):
        driver.attach_volume(node, volume)
    with pytest.raises(ForbiddenError, match=f"image {volume.id} is locked"):
        driver.destroy_volume(volume)
    with pytest.raises(ForbiddenError, match=f"image {volume.id} is locked"):
        driver.create_node(
            "web", size=driver.list_sizes()[0], image=driver.get_image("0"), ex_volumes=[volume]
        )
    assert [found.id for found in driver.list_volumes()] == [volume.id]


def test_what_belongs_to_somebody_else_is_not_called_locked(
    driver: OpenNebulaNodeDriver, lock: Callable[[str, str], None]
) -> None:
    with pytest.raises(ForbiddenError, match="Not authorized to perform MANAGE IMAGE") as caught:
        driver.delete_image(driver.get_image("0"))

    assert "locked" not in str(caught.value)
