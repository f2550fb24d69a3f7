"""The table of docs/opennebula.md is complete and true: what it says is not offered is not, all else is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from libcloud.compute.base import NodeDriver

from stratuslab.client.errors import NotOfferedError
from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

PAGE = Path(__file__).parents[3].joinpath("docs", "opennebula.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("\n| method |")[2].partition("\n\n")[0]
ROWS = {name: cells for name, *cells in re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", TABLE, re.MULTILINE)}
ARGUMENTS: dict[str, tuple[object, ...]] = {
    "copy_image": ("", None, "x"),
    "create_image": (None, "x"),
    "create_key_pair": ("x",),
    "create_volume_snapshot": (None,),
    "delete_image": (None,),
    "delete_key_pair": (None,),
    "destroy_volume_snapshot": (None,),
    "get_key_pair": ("x",),
    "import_key_pair_from_file": ("x", "/nowhere"),
    "import_key_pair_from_string": ("x", "ssh-ed25519 AAAA"),
    "list_key_pairs": (),
    "list_volume_snapshots": (None,),
}


def test_the_table_has_every_method() -> None:
    methods = {
        name for name in dir(NodeDriver) if not name.startswith("_") and callable(getattr(NodeDriver, name))
    }
    assert set(ROWS) == methods - {"connectionCls"}


@pytest.mark.parametrize(
    ("kind", "column", "cls"),
    [("stratuslab", 0, StratusLabNodeDriver), ("opennebula-6.10", 1, OpenNebulaNodeDriver)],
)
def test_what_is_not_offered_is_said_so(kind: str, column: int, cls: type[StratusLabNodeDriver]) -> None:
    said = {name for name, cells in ROWS.items() if cells[column].startswith("not offered")}
    with Sandbox(cloud=kind, boot_seconds=0) as sandbox:
        driver = cls(stratuslab_user_config=sandbox.config_file)
        found: dict[str, NotImplementedError] = {}
        for name, arguments in ARGUMENTS.items():
            try:
                getattr(driver, name)(*arguments)
            except NotImplementedError as error:
                found[name] = error
            except Exception:  # noqa: BLE001  the arguments are wrong, and this is what is offered
                continue

    assert set(found) == said
    # Both programs that catch Python's own and those that catch ours go on.
    assert {name for name, error in found.items() if not isinstance(error, NotOfferedError)} == set()
