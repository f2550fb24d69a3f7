"""An answer that came late, twice or to somebody else is about something else: it is not taken for ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.client.errors import MalformedAnswerError, StratusLabError, UnsettledError, outcome_unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.libcloud.node import StratusLabNode
    from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
    from stratuslab.sandbox import Sandbox

    AnswerOtherwise = Callable[[str, Callable[[list[Any]], list[Any]]], None]


@pytest.fixture
def kind() -> str:
    return "opennebula-6.10"


MAKING: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "create_volume": ("one.image.allocate", lambda driver, _: driver.create_volume(1, "new")),
    "create_volume, token": (
        "one.image.allocate",
        lambda driver, _: driver.create_volume(1, "new", ex_token="job-1"),
    ),
    "copy_image": (
        "one.image.clone",
        lambda driver, _: driver.copy_image("here", driver.get_image("0"), " new ", "words"),
    ),
    "create_image": ("one.vm.disksaveas", lambda driver, node: driver.create_image(node, "new", "words")),
}


@pytest.mark.parametrize("name", MAKING)
def test_an_image_that_is_not_there_is_not_the_new_one(
    driver: OpenNebulaNodeDriver, node: StratusLabNode, answer_otherwise: AnswerOtherwise, name: str
) -> None:
    method, make = MAKING[name]
    answer_otherwise(method, lambda found: [True, 12345, 0])

    made = make(driver, node)

    assert made.id != "12345"
    assert made.name == "new"


@pytest.mark.parametrize("state", ["READY", "ERROR", "LOCKED"])
@pytest.mark.parametrize("name", MAKING)
def test_another_image_is_not_taken_for_the_new_one(
    sandbox: Sandbox,
    driver: OpenNebulaNodeDriver,
    node: StratusLabNode,
    answer_otherwise: AnswerOtherwise,
    name: str,
    state: str,
) -> None:
    """What failed is deleted and what is made is described: another's is neither."""
    method, make = MAKING[name]
    old = driver.create_volume(1, "old")
    sandbox.opennebula("here").oned.set_image_state(int(old.id), {"READY": 1, "ERROR": 5, "LOCKED": 4}[state])
    answer_otherwise(method, lambda found: [True, int(old.id), 0])

    made = make(driver, node)

    assert made.id != old.id
    assert made.name == "new"
    kept = driver.ex_get_volume(old.id)
    assert kept.extra["state"] == state
    assert driver.get_image(old.id).extra["description"] is None
    if "image" in name:
        assert made.extra["description"] == "words"
        assert driver.get_image(made.id).extra["description"] == "words"


def test_an_image_that_cannot_be_seen_is_not_said_to_be_made(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, answer_otherwise: AnswerOtherwise
) -> None:
    old = driver.create_volume(1, "old")
    answer_otherwise("one.image.allocate", lambda _: [True, int(old.id), 0])
    answer_otherwise("one.imagepool.info", lambda _: [False, "no", 8192, 0, 0])

    hasty = type(driver)(stratuslab_user_config=sandbox.config_file, timeout=0.3)
    with pytest.raises(UnsettledError):
        hasty.create_volume(1, "new")


@pytest.mark.parametrize(
    "change",
    [
        lambda driver, _: driver.create_key_pair("new"),
        lambda driver, old: driver.delete_key_pair(old),
    ],
    ids=["create", "delete"],
)
def test_a_key_that_another_answer_confirms_is_looked_for(
    sandbox: Sandbox,
    driver: OpenNebulaNodeDriver,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Any, Any], object],
) -> None:
    """The answer is another's, and the call was not carried out."""
    old = driver.create_key_pair("old")
    hasty = type(driver)(stratuslab_user_config=sandbox.config_file, timeout=0.3)
    oned: Any = sandbox.opennebula("here").oned
    call = oned.call
    monkeypatch.setattr(
        oned,
        "call",
        lambda method, *rest: [True, 4711, 0] if method == "one.user.update" else call(method, *rest),
    )

    with pytest.raises(MalformedAnswerError, match="not about") as caught:
        change(hasty, old)
    assert outcome_unknown(caught.value)
    assert [key.name for key in driver.list_key_pairs()] == ["old"]


MISSING: dict[str, tuple[str, str, Callable[[Any, Any], object]]] = {
    "details": ("one.vm.info", "virtual machine", lambda driver, node: driver.ex_get_node_details(node.id)),
    "refresh": ("one.vm.info", "virtual machine", lambda driver, node: driver.ex_refresh_node(node)),
    "reboot": ("one.vm.action", "virtual machine", lambda driver, node: driver.reboot_node(node)),
    "image": ("one.image.info", "image", lambda driver, _: driver.get_image("0")),
    "volume": ("one.image.info", "image", lambda driver, _: driver.ex_get_volume("0")),
    "template": (
        "one.template.info",
        "virtual machine template",
        lambda driver, _: driver.get_image("template:0"),
    ),
    "keys": ("one.user.info", "user", lambda driver, _: driver.list_key_pairs()),
}


@pytest.mark.parametrize("name", MISSING)
def test_that_another_thing_is_not_there_says_nothing_of_ours(
    driver: OpenNebulaNodeDriver, node: StratusLabNode, answer_otherwise: AnswerOtherwise, name: str
) -> None:
    method, kind, call = MISSING[name]
    answer_otherwise(method, lambda _: [False, f"[{method}] Error getting {kind} [4711].", 1024, 4711, 0])

    with pytest.raises(MalformedAnswerError, match=r"\[4711\]"):
        call(driver, node)


def test_a_deletion_is_not_believed_because_another_image_is_not_there(
    sandbox: Sandbox, driver: OpenNebulaNodeDriver, answer_otherwise: AnswerOtherwise
) -> None:
    volume = driver.create_volume(1, "data")
    answer_otherwise("one.image.delete", lambda _: [True, int(volume.id), 0])
    answer_otherwise(
        "one.image.info", lambda _: [False, "[one.image.info] Error getting image [4711].", 1024, 4711, 0]
    )
    sandbox.opennebula("here").oned.set_image_state(int(volume.id), 1)
    hasty = type(driver)(stratuslab_user_config=sandbox.config_file, timeout=0.3)

    with pytest.raises(StratusLabError) as caught:
        hasty.destroy_volume(volume)
    assert outcome_unknown(caught.value)
