"""Which locations there are, which one is meant, and calls over several."""

from __future__ import annotations

import logging
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from libcloud.compute.base import Node, NodeImage, NodeLocation, StorageVolume, VolumeSnapshot
from stratuslab.client.errors import (
    ConfigurationError,
    InvalidArgumentError,
    LocationsError,
    StratusLabError,
)
from stratuslab.client.site import Site
from stratuslab.libcloud.arguments import one_of, several

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from libcloud.compute.base import NodeDriver
    from stratuslab.client.configuration.cloud import Cloud
    from stratuslab.client.configuration.user_configurator import UserConfigurator

__all__ = ["GivenLocation", "Locations", "OnError", "over_all"]

logger = logging.getLogger(__name__)

GivenLocation = NodeLocation | str
"""A location as a caller may give it: the object, its id or its name."""
Item = Node | NodeImage | StorageVolume | VolumeSnapshot
OnError = Literal["raise", "skip"]
_ON_ERROR = ("raise", "skip")
_MAX_THREADS = 64

_Found = TypeVar("_Found", bound=Node)


class _Location(NodeLocation):
    """A location that does not keep its driver alive: in a circle, sockets would wait for the collector."""

    @property
    def driver(self) -> Any:
        """The driver, None if it is gone."""
        return self._driver and self._driver()

    @driver.setter
    def driver(self, driver: NodeDriver | None) -> None:
        self._driver = driver and weakref.ref(driver)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_driver": self.driver}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.driver = state["_driver"]

    def __repr__(self) -> str:
        gone = f"<NodeLocation: id={self.id}, name={self.name}>"
        return str(super().__repr__()) if self.driver else gone  # type: ignore[no-untyped-call]


class Locations:
    """The locations of one driver, and the site of each. Threads may share it; a copy has sites of its own.

    :param known: all of them, in the order in which they are listed.
    :param default: id of the one that is meant where none is given.
    :param cloud_of: returns the settings of one by its id; called when it is first used.
    """

    def __init__(self, known: Sequence[NodeLocation], default: str, cloud_of: Callable[[str], Cloud]) -> None:
        self._by_id = {location.id: location for location in known}
        self.default: NodeLocation = self._by_id[default]
        self._cloud_of = cloud_of
        self._sites: dict[str, Site] = {}

    @classmethod
    def of_file(
        cls,
        configurator: UserConfigurator,
        driver: NodeDriver,
        *,
        default: GivenLocation | None,
        region: GivenLocation | None,
        overrides: Mapping[str, Any],
    ) -> Locations:
        """Return the sections of a file; with ``region``, only that one.

        :param default: section that is meant where none is given; None for ``selected_section``.
        :param overrides: settings that replace those of every section.
        """
        wanted = _section_of(configurator, default) if default else None
        if region is None:
            names = configurator.locations(wanted)
            chosen = wanted or configurator.selected_location
        else:
            chosen = _section_of_region(configurator, region)
            names = [chosen]
            if wanted not in (None, chosen):
                raise InvalidArgumentError(
                    f"found {default!r}, and {chosen!r} as region; give one of the two",
                    argument="stratuslab_default_location",
                )
        return cls(
            [_section_as_location(configurator, name, driver) for name in names],
            chosen,
            partial(_settings_of_section, configurator, dict(overrides)),
        )

    @classmethod
    def of_cloud(cls, cloud: Cloud, driver: NodeDriver) -> Locations:
        """Return one cloud as the only location."""
        location = _Location(cloud.location, cloud.name, cloud.country, driver)
        return cls([location], cloud.location, {cloud.location: cloud}.__getitem__)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_sites"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._sites = {}

    def all(self) -> list[NodeLocation]:
        """Return all of them, in the order of the file."""
        return list(self._by_id.values())

    def site(self, location: NodeLocation) -> Site:
        """Return the services of one, made when they are first asked for."""
        site = self._sites.get(location.id)
        if site is None:
            # If two threads make one at once, both use the first. A lock could be held for ever after a fork.
            site = self._sites.setdefault(location.id, Site(self._cloud_of(location.id)))
        return site

    def close(self) -> None:
        """Close the connections of all sites."""
        for site in list(self._sites.values()):
            site.close()

    def meant(self, location: GivenLocation | None, argument: str = "location") -> NodeLocation:
        """Return the location for an object, an id or a name; the default one for None."""
        if location is None:
            return self.default
        wanted = location.id if isinstance(location, NodeLocation) else location
        known = self._by_id.get(wanted) if isinstance(wanted, str) else None
        named = [one for one in self._by_id.values() if isinstance(location, str) and one.name == location]
        if known is None and len(named) == 1:
            return named[0]
        if known is None:
            raise InvalidArgumentError(
                f"found {wanted!r}; give one of list_locations(): {', '.join(self._by_id)}", argument=argument
            )
        return known

    def chosen(
        self, locations: GivenLocation | Sequence[GivenLocation] | None, argument: str
    ) -> list[NodeLocation]:
        """Return those that one or a list means, each once; all for None."""
        if locations is None:
            return self.all()
        if isinstance(locations, (NodeLocation, str)):
            return [self.meant(locations, argument)]
        meant = [self.meant(location, argument) for location in several(argument, locations)]
        return list({location.id: location for location in meant}.values())

    def of_node(self, node: Node, argument: str = "node") -> NodeLocation:
        """Return where a node is; see :meth:`of_item`."""
        if not isinstance(node, Node):
            raise InvalidArgumentError(f"found {node!r}; give a node, as of list_nodes()", argument=argument)
        return self.of_item(node, argument)

    def of_volume(self, volume: StorageVolume, argument: str = "volume") -> NodeLocation:
        """Return where a volume is; see :meth:`of_item`."""
        if not isinstance(volume, StorageVolume):
            raise InvalidArgumentError(
                f"found {volume!r}; give a volume, as of list_volumes()", argument=argument
            )
        return self.of_item(volume, argument)

    def of_image(self, image: NodeImage, otherwise: NodeLocation | None = None) -> NodeLocation:
        """Return where an image is; if it does not say, ``otherwise``; see :meth:`of_item`."""
        argument = "node_image"
        if not isinstance(image, NodeImage):
            raise InvalidArgumentError(f"found {image!r}; give one of list_images()", argument=argument)
        if otherwise is not None and self.stated(image, argument) is None:
            return otherwise
        return self.of_item(image, argument)

    def check_volume(self, volume: StorageVolume, of_node: NodeLocation, argument: str = "volume") -> None:
        """Refuse a volume that is at another location than its node."""
        # A UUID is that of one volume anywhere; a number is another volume's at each location.
        if not isinstance(volume, StorageVolume) or str(volume.id).isdecimal():
            self.of_volume(volume, argument)
        stated = self.stated(volume, argument)
        if stated is not None and stated.id != of_node.id:
            raise InvalidArgumentError(
                f"the volume is at {stated.id!r} and the node at {of_node.id!r}; "
                "a node can only have volumes of its own location",
                argument=argument,
            )

    def of_item(self, item: Item, argument: str) -> NodeLocation:
        """Return the location that an object states. If it states none, there must be only one location.

        Ids are the same small numbers at every location: a wrong guess would end another node.
        """
        stated = self.stated(item, argument)
        if stated is None and len(self._by_id) > 1:
            raise InvalidArgumentError(
                f"found {item.id!r}, which states no location; take it from a list of this driver, set "
                f'extra["location"] to one of {", ".join(self._by_id)}, or make the driver with region',
                argument=argument,
            )
        return stated or self.default

    def stated(self, item: Item, argument: str) -> NodeLocation | None:
        """Return where something says it is, None if it does not say."""
        location: Any = getattr(item, "location", None) or (item.extra or {}).get("location")
        return None if location is None else self.meant(location, argument)


def _section_of(configurator: UserConfigurator, location: GivenLocation) -> str:
    """Return the section that an object, an id or a name means; what means none is returned as it is."""
    wanted = location.id if isinstance(location, NodeLocation) else location
    sections = configurator.locations("default")
    named = [name for name in sections if _display_name(configurator, name)[0] == wanted]
    return named[0] if wanted not in sections and len(named) == 1 else wanted


def _section_of_region(configurator: UserConfigurator, region: GivenLocation) -> str:
    found = _section_of(configurator, region)
    sections = configurator.locations("default")
    if found not in sections:
        listing = ", ".join(name for name in sections if name != "default") or "default"
        raise InvalidArgumentError(
            f"found {found!r}; give a section of {configurator.source}: {listing}", argument="region"
        )
    return found


def _section_as_location(configurator: UserConfigurator, section: str, driver: NodeDriver) -> NodeLocation:
    return _Location(section, *_display_name(configurator, section), driver)


def _display_name(configurator: UserConfigurator, section: str) -> tuple[str, str]:
    """Return a section's name and country; what is wrong in it is told to those who use it."""
    try:
        return configurator.display_name(section), configurator.country(section)
    except ConfigurationError:
        return section, "unknown"


def _settings_of_section(configurator: UserConfigurator, overrides: dict[str, Any], section: str) -> Cloud:
    return replace(configurator.cloud(section), **overrides)


def over_all(
    operation: str,
    locations: Sequence[NodeLocation],
    ask: Callable[[NodeLocation], list[_Found]],
    on_error: OnError = "raise",
) -> list[_Found]:
    """Ask several locations side by side, and return what they gave in the order of ``locations``.

    When some fail, the others are still waited for. Then ``raise`` raises one error: its ``errors`` names
    each failure by its location, its ``nodes`` are those of the others. If only one location was asked, the
    error is that location's own. ``skip`` returns what there is and logs the failures.
    """
    one_of("ex_on_error", on_error, _ON_ERROR)
    found: list[_Found] = []
    errors: dict[str, StratusLabError] = {}
    for location, answer in zip(locations, _answers(locations, ask), strict=True):
        if isinstance(answer, StratusLabError):
            errors[location.id] = answer
        else:
            found += answer
    if not errors:
        return found
    if on_error == "skip":
        for error in errors.values():
            logger.warning("left out: %s", error)
        return found
    if len(locations) == 1:
        error = errors[locations[0].id]
        error.errors = errors
        raise error
    raise LocationsError(operation, errors, found) from next(iter(errors.values()))


def _answers(
    locations: Sequence[NodeLocation], ask: Callable[[NodeLocation], list[_Found]]
) -> list[list[_Found] | StratusLabError]:
    def answer(location: NodeLocation) -> list[_Found] | StratusLabError:
        try:
            return ask(location)
        except StratusLabError as error:
            return error

    if len(locations) < 2:
        return [answer(location) for location in locations]
    with ThreadPoolExecutor(min(_MAX_THREADS, len(locations)), "stratuslab") as threads:
        return list(threads.map(answer, locations))
