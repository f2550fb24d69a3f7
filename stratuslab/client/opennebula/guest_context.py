"""What a StratusLab cloud hands to the guest of a new VM: keys, user data and values of the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from stratuslab.client.configuration.cloud import ContextMethod
from stratuslab.client.errors import InvalidArgumentError
from stratuslab.client.opennebula.cloud_init import encoded_keys, encoded_user_data
from stratuslab.client.opennebula.public_keys import authorized_keys
from stratuslab.client.opennebula.template_text import checked_key, without_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["guest_context"]

_TARGET = "hdd"
_OWN_KEYS = frozenset(
    {"PUBLIC_KEY", "TARGET", "CONTEXT_METHOD", "CLOUD_INIT_AUTHORIZED_KEYS", "CLOUD_INIT_USER_DATA"}
)


def guest_context(
    context: Mapping[str, str],
    method: ContextMethod,
    public_keys: str | None,
    user_data: str | bytes | None,
) -> dict[str, tuple[str | int | float, str]]:
    """Return the items of ``CONTEXT``, each with the field of the VM template from which it comes.

    :raises InvalidArgumentError: for a value that the guest would not get as it is.
    """
    methods = get_args(ContextMethod)
    if method not in methods:
        raise InvalidArgumentError(f"found {method!r}; use {' or '.join(methods)}", argument="context_method")
    items: dict[str, tuple[str | int | float, str]] = {}
    keys = authorized_keys(public_keys, "public_keys")
    if keys:
        items["PUBLIC_KEY"] = (without_variables(keys, "public_keys"), "public_keys")
    if method == "cloud-init" or user_data is not None:
        items["CONTEXT_METHOD"] = ("cloud-init", "context_method")
        if keys:
            items["CLOUD_INIT_AUTHORIZED_KEYS"] = (encoded_keys(keys), "public_keys")
        if user_data is not None:
            items["CLOUD_INIT_USER_DATA"] = (encoded_user_data(user_data), "user_data")
    for given, value in context.items():
        key = checked_key(given, "context")
        argument = f"context[{given!r}]"
        if key in _OWN_KEYS or key in items:
            raise InvalidArgumentError(
                f"the key {key} is set already; choose another name", argument="context"
            )
        if not isinstance(value, str):
            raise InvalidArgumentError(f"found a {type(value).__name__}; give a string", argument=argument)
        items[key] = (without_variables(value, argument), argument)
    items["TARGET"] = (_TARGET, "context")
    return items
