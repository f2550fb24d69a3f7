"""Values at the edge, where one more or one less is something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from stratuslab.client.errors import ServiceError
from stratuslab.client.opennebula.releases import STRATUSLAB_14_06
from stratuslab.client.opennebula.vm import LAST_VM_ID, VirtualMachine, checked_vm_id
from stratuslab.client.pdisk.disk import Disk, whole_number
from stratuslab.client.transport.connection import MAX_ANSWER_BYTES, MAX_WHOLE_ANSWER_BYTES
from stratuslab.client.transport.settlement import grace_after
from stratuslab.client.transport.xml_document import MAX_DOCUMENT_BYTES, DocumentError, parse


def test_the_limits_of_an_answer_are_those_that_are_promised() -> None:
    promise = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
    assert f"| a list that is read as it comes | {MAX_ANSWER_BYTES >> 20} MiB |" in promise
    assert f"| any other answer | {MAX_WHOLE_ANSWER_BYTES >> 20} MiB |" in promise
    assert f"| XML that is read whole | {MAX_DOCUMENT_BYTES >> 20} MiB, " in promise


def test_the_pool_is_asked_for_the_users_own_vms_without_those_of_the_group() -> None:
    assert STRATUSLAB_14_06.mine == (-3, -1, -1, -1)


def test_the_last_id_of_a_vm_is_one() -> None:
    assert checked_vm_id(LAST_VM_ID) == LAST_VM_ID


@pytest.mark.parametrize("text", ["-5", "1_0", "\u0661\u0662", "../../x", " 7", "+7", "7 ", "\u00a07", ""])
def test_what_is_no_id_of_a_vm_is_refused(text: str) -> None:
    with pytest.raises(DocumentError, match="no numeric"):
        VirtualMachine.from_element(parse(f"<VM><ID>{text}</ID></VM>"))


def test_a_disk_without_count_is_mounted_nowhere() -> None:
    assert Disk.from_json({"uuid": "0" * 8 + "-0000-0000-0000-" + "0" * 12, "size": "1"}).count == 0


def test_a_number_may_have_18_digits() -> None:
    assert whole_number("9" * 18) == 10**18 - 1


def test_after_a_refusal_by_a_status_one_look_is_enough() -> None:
    assert grace_after(ServiceError("no", http_code=404), 60) == 0
