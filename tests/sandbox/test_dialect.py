from __future__ import annotations

from typing import Any

import pytest
import requests

from stratuslab.sandbox import Sandbox
from stratuslab.sandbox.defaults import USERS

DEMO = next(iter(USERS.items()))
JSON = {"Accept": "application/json"}


@pytest.fixture
def answers(dialect: str) -> Any:
    """Make a disk, tag an image and deprecate it; return what PDisk and the Marketplace say of them."""
    with Sandbox(dialect=dialect) as sandbox:
        urls = sandbox.endpoints["sandbox"]
        disks = f"{urls['pdisk_endpoint']}/pswd/disks/"
        uuid = requests.post(disks, {"size": "1024"}, auth=DEMO, headers=JSON).json()["uuid"]
        catalogue = sandbox.location("sandbox").catalogue
        image = next(entry for entry in catalogue.entries() if entry.alternatives)
        catalogue.deprecate(image.identifier, "has a hole")
        tagged = f"{urls['marketplace_endpoint']}/tag/{image.email}/{image.alternatives[0]}"
        return {
            "one": requests.get(f"{disks}{uuid}", auth=DEMO, headers=JSON).json(),
            "listed": requests.get(disks, auth=DEMO, headers=JSON).json()[0],
            "tagged": requests.get(tagged, headers={"Accept": "application/xml"}).status_code,
        }


@pytest.mark.parametrize(
    ("dialect", "size", "identifier", "tagged"),
    [
        ("14.06", "1,024", None, 200),
        ("14.06-ungrouped", "1024", None, 200),
        ("2015", "1,024", "", 404),
    ],
)
def test_how_the_services_word_their_answers(
    answers: Any, size: str, identifier: str | None, tagged: int
) -> None:
    for disk in (answers["one"], answers["listed"]):
        assert (disk["size"], disk.get("identifier")) == (size, identifier)
    assert answers["tagged"] == tagged


def test_another_dialect_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'13\.05' is no dialect: there are 14\.06, 14\.06-ungrouped, 2015"):
        Sandbox(dialect="13.05")
