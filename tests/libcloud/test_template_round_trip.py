"""What a user writes is what OpenNebula's parser reads, or it is refused: 20,000 generated values."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratuslab.client.errors import InvalidArgumentError
from stratuslab.client.opennebula.vm_template import VmTemplate
from stratuslab.sandbox.opennebula.template.template import Template, parse

VALUES_PER_EXAMPLE = 8
EXAMPLES = 20_000 // VALUES_PER_EXAMPLE

hostile = st.text(
    alphabet=st.sampled_from("\"\\[]=,#\n \t$%<>&'`]a0Zé☃\x00\x07\r\u0085\u2028\ud800\U0001f600"), max_size=12
)
injections = st.sampled_from(
    [
        'x"\nREQUIREMENTS = "FALSE',
        'x" ]\nDISK = [ SOURCE = "pdisk:h:1/u',
        '"]\nX=[a="b',
        'a\\"b',
        '\\\\"',
        '"',
        '""',
        "x\\",
        "CDATA ]]> end",
        "NAME=x",
        "# comment",
        "a,b=c]",
    ]
)
values = st.one_of(hostile, injections, st.text(max_size=30), st.builds(str.__add__, hostile, injections))
keys = st.from_regex(r"[A-Za-z0-9_]{1,12}", fullmatch=True).filter(
    lambda key: (
        key.upper() not in {"TARGET", "PUBLIC_KEY", "CONTEXT_METHOD"}
        and not key.upper().startswith("CLOUD_INIT")
    )
)
contexts = st.lists(
    st.tuples(keys, values),
    min_size=VALUES_PER_EXAMPLE - 2,
    max_size=VALUES_PER_EXAMPLE - 2,
    unique_by=lambda item: item[0].upper(),
)


def template(
    name: str | None = None, key: str | None = None, context: dict[str, str] | None = None
) -> VmTemplate:
    return VmTemplate(
        source="https://market.example.org/metadata/BN1EEkPiBx87_uLj2-sdybSI-Xb",
        cpu=1,
        ram_mib=512,
        name=name,
        public_keys=key,
        context=context or {},
    )


def read_back(wanted: VmTemplate) -> Template | None:
    """Return what the parser makes of a template, None if it is refused before sending."""
    try:
        text = wanted.text()
    except InvalidArgumentError:
        return None
    parsed = parse(text)
    assert [name for name, _ in parsed.attributes] == ATTRIBUTES_WITH_NAME if wanted.name else ATTRIBUTES
    return parsed


ATTRIBUTES = ["CPU", "VCPU", "MEMORY", "RANK", "DISK", "NIC", "GRAPHICS", "CONTEXT"]
ATTRIBUTES_WITH_NAME = ["CPU", "VCPU", "MEMORY", "RANK", "NAME", "DISK", "NIC", "GRAPHICS", "CONTEXT"]


def check_name(name: str) -> bool:
    parsed = read_back(template(name=name))
    assert parsed is None or parsed.single("NAME") == name
    return parsed is not None


def check_key(key: str) -> bool:
    parsed = read_back(template(key=key))
    lines = [line.strip(" \t\r") for line in key.split("\n")]
    meant = "".join(f"{line}\n" for line in lines if line and not line.startswith("Comment:"))
    if parsed is not None:
        assert parsed.vectors("CONTEXT") == [
            {"PUBLIC_KEY": meant, "TARGET": "hdd"} if meant else {"TARGET": "hdd"}
        ]
    return parsed is not None


def check_context(context: dict[str, str]) -> bool:
    parsed = read_back(template(context=context))
    meant = {key.upper(): value for key, value in context.items()}
    assert parsed is None or parsed.vectors("CONTEXT") == [{**meant, "TARGET": "hdd"}]
    return parsed is not None


@pytest.mark.slow(seconds=15)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(name=values, key=values, context=contexts)
def test_generated_values_are_read_back_or_refused(
    name: str, key: str, context: list[tuple[str, str]]
) -> None:
    check_name(name)
    check_key(key)
    sendable = {k: v for k, v in context if check_context({k: v})}
    assert check_context(sendable)


def test_harmless_values_are_not_refused() -> None:
    for text in (
        "web server",
        'say "x"',
        "a=b, [c] #d",
        "line\nbreak",
        'back\\" slash',
        "é☃ π",
        '"',
        'ends in "',
    ):
        assert check_name(text)
        assert check_key(text)
        assert check_context({"k": text})
