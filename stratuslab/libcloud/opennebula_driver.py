"""The driver under the name that OpenNebula's users look for.

Importing this module makes ``Provider.OPENNEBULA_XMLRPC`` known to Libcloud.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratuslab.client.configuration.cloud import Cloud
from stratuslab.client.frames import without_frames
from stratuslab.libcloud.arguments import truth
from stratuslab.libcloud.network import StratusLabNetwork
from stratuslab.libcloud.node import StratusLabNode
from stratuslab.libcloud.provider import OPENNEBULA_XMLRPC, register_opennebula
from stratuslab.libcloud.size import StratusLabNodeSize
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.libcloud.volume import StratusLabVolume

if TYPE_CHECKING:
    from stratuslab.libcloud.locations import GivenLocation

__all__ = [
    "OPENNEBULA_XMLRPC",
    "OpenNebulaNodeDriver",
    "StratusLabNetwork",
    "StratusLabNode",
    "StratusLabNodeSize",
    "StratusLabVolume",
]


class OpenNebulaNodeDriver(StratusLabNodeDriver):
    """Libcloud's driver for OpenNebula clouds, from 5.12 on, over XML-RPC.

    It is :class:`~stratuslab.libcloud.stratuslab_driver.StratusLabNodeDriver`, and is made like that; a
    configuration file may even name clouds of both kinds. Only what ``host`` means is different:
    OpenNebula's own port 2633 and path ``/RPC2`` are added to a bare name::

        OpenNebulaNodeDriver("user", "password or login token", host="one.example.org")

    :param key: user name, with ``host``; otherwise ignored.
    :param secret: password or login token, with ``host``.
    :param secure: https rather than http, with ``host``.
    :param host: host name, or URL of the front end as in ``https://one.example.org/RPC2``.
    :param port: with ``host``; 2633 if None.
    :param api_version: an argument of every Libcloud driver; ignored here.
    :param region: id or name of the section of the file that is the driver's only location.
    :param ex_allow_plain_http: allow ``secure=False`` to another machine than this one, which shows the
        password to everybody on the way.
    :param kwargs: the other arguments of the StratusLab driver.
    """

    type = OPENNEBULA_XMLRPC
    name = "OpenNebula"
    api_name = "opennebula_xmlrpc"
    website = "https://opennebula.io/"

    @without_frames
    def __init__(
        self,
        key: str | None = None,
        secret: str | None = None,
        secure: bool = True,
        host: str | None = None,
        port: int | None = None,
        api_version: str | None = None,
        region: GivenLocation | None = None,
        *,
        ex_allow_plain_http: bool = False,
        **kwargs: Any,
    ) -> None:
        self._allow_plain_http = truth("ex_allow_plain_http", ex_allow_plain_http)
        super().__init__(key, secret, secure, host, port, api_version, region, **kwargs)

    def _cloud_at(self, host: str, username: str, password: str, port: int | None, secure: bool) -> Cloud:
        return Cloud.at_opennebula(
            host,
            username=username,
            password=password,
            port=port,
            secure=secure,
            allow_plain_http=self._allow_plain_http,
        )


register_opennebula(__name__, OpenNebulaNodeDriver.__name__)
