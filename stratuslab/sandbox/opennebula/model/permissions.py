"""The two sets of permissions which objects of the sandbox have, as OpenNebula shows them."""


def _permissions(owner: str, group: str, other: str) -> str:
    bits = {"OWNER": owner, "GROUP": group, "OTHER": other}
    elements = (
        f"<{who}_{right}>{bit}</{who}_{right}>"
        for who, granted in bits.items()
        for right, bit in zip("UMA", granted, strict=True)
    )
    return f"<PERMISSIONS>{''.join(elements)}</PERMISSIONS>"


OWNER_ONLY = _permissions("110", "000", "000")
"""The owner may use and manage the object."""

USED_BY_ALL = _permissions("110", "100", "100")
"""The owner may use and manage the object, everybody else may use it."""
