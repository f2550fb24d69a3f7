"""The permissions of the sandbox's objects, as OpenNebula shows them.

They are nine digits: use, manage and administrate, of the owner, the group and all others.
"""

OWNERS = "110000000"
"""The owner may use and manage the object."""


def shown(permissions: str) -> str:
    """Return `<PERMISSIONS>`."""
    names = (f"{who}_{right}" for who in ("OWNER", "GROUP", "OTHER") for right in "UMA")
    elements = (f"<{name}>{bit}</{name}>" for name, bit in zip(names, permissions, strict=True))
    return f"<PERMISSIONS>{''.join(elements)}</PERMISSIONS>"


OWNER_ONLY = shown(OWNERS)
USED_BY_ALL = shown("110100100")
"""The owner may use and manage the object, everybody else may use it."""
