"""A program with types, for the checkers of types: it is never run."""

from __future__ import annotations

from libcloud.compute.deployment import ScriptDeployment

from stratuslab.libcloud.stratuslab_driver import (
    StratusLabImage,
    StratusLabNode,
    StratusLabNodeDriver,
    StratusLabNodeSize,
    StratusLabVolume,
)

driver = StratusLabNodeDriver("default", region="here")
sizes: list[StratusLabNodeSize] = driver.list_sizes()
images: list[StratusLabImage] = driver.list_images()
vcpus: int = sizes[0].vcpus
node: StratusLabNode = driver.create_node("web", sizes[0], images[0], "here", ex_metadata={"role": "web"})
other: StratusLabNode = driver.create_node(size="m1.small", image=images[0].id)
where: str = node.location.id
nodes: list[StratusLabNode] = driver.list_nodes(ex_location="here")
pairs: list[tuple[StratusLabNode, list[str]]] = driver.wait_until_running(nodes)
volume: StratusLabVolume = driver.create_volume(1, "data", node.location)
volumes: list[StratusLabVolume] = driver.list_volumes(volume.extra["location"])
driver.attach_volume(node, volume)
price: float | None = sizes[0].price
deployed: StratusLabNode = driver.deploy_node(
    ScriptDeployment("true"), size=sizes[0], image=images[0], wait_period=0.5
)
found: StratusLabNode | None = driver.ex_get_node_details(node.id)
host: str | None = deployed.host
