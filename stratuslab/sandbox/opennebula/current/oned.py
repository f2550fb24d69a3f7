"""OpenNebula's core of a release from 5.12 on, at one location."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.any_oned import AnyOned
from stratuslab.sandbox.opennebula.current.allocation import Allocation
from stratuslab.sandbox.opennebula.current.attributes import read_template
from stratuslab.sandbox.opennebula.current.books import Books
from stratuslab.sandbox.opennebula.current.contents import fill
from stratuslab.sandbox.opennebula.current.devices import Devices
from stratuslab.sandbox.opennebula.current.life_cycle import LifeCycle
from stratuslab.sandbox.opennebula.current.methods import methods_of
from stratuslab.sandbox.opennebula.current.objects import Vm
from stratuslab.sandbox.opennebula.current.quotas import Quotas
from stratuslab.sandbox.opennebula.current.requests.devices import DeviceRequests
from stratuslab.sandbox.opennebula.current.requests.images import ImageRequests
from stratuslab.sandbox.opennebula.current.requests.infrastructure import InfrastructureRequests
from stratuslab.sandbox.opennebula.current.requests.snapshots import SnapshotRequests
from stratuslab.sandbox.opennebula.current.requests.templates import TemplateRequests
from stratuslab.sandbox.opennebula.current.requests.users import UserRequests
from stratuslab.sandbox.opennebula.current.requests.vms import VmRequests
from stratuslab.sandbox.opennebula.current.vm_documents import vm_document
from stratuslab.sandbox.opennebula.model.scheduler import Scheduler
from stratuslab.sandbox.opennebula.refusals import RefusalError, not_done_here
from stratuslab.sandbox.opennebula.requests.request import Arguments, FaultCode, Request
from stratuslab.sandbox.xmlrpc.call import LongInteger, XmlRpcError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stratuslab.sandbox.clock import Clock
    from stratuslab.sandbox.opennebula.current.requests.request import Requests
    from stratuslab.sandbox.opennebula.model.hosts import Host
    from stratuslab.sandbox.opennebula.model.networks import VirtualNetwork
    from stratuslab.sandbox.opennebula.releases import Release
    from stratuslab.sandbox.xmlrpc.call import Scalar, Value


class CurrentOned(AnyOned[Vm]):
    """An OpenNebula from 5.12 on. Hold `lock` to look at `books`."""

    def __init__(
        self,
        release: Release,
        hosts: Sequence[Host],
        networks: Sequence[VirtualNetwork],
        passwords: Mapping[str, str],
        clock: Clock,
        boot_seconds: float,
    ) -> None:
        self.release = release
        self.methods = methods_of(release)
        books = self.books = Books([*hosts])
        fill(books, passwords, networks, clock.now())
        quotas = Quotas(books)
        devices = Devices(books, release)
        allocation = Allocation(books, devices, quotas, release)
        scheduler = Scheduler(books.hosts, books.vms)
        life = self._life_cycle = LifeCycle(books, devices, allocation, scheduler, release, boot_seconds)
        super().__init__(books.vms, lambda vm: vm_document(vm, books, release), life, clock)
        self._users = UserRequests(books, quotas)
        vms = VmRequests(books, allocation, life, quotas, release)
        images = ImageRequests(books, devices, life, quotas, release)
        self._requests: Requests = {
            **vms.requests(),
            **DeviceRequests(books, devices, allocation, life, images, release).requests(),
            **SnapshotRequests(books, life, release).requests(),
            **images.requests(),
            **TemplateRequests(books, devices, allocation, images, vms).requests(),
            **self._users.requests(),
            **InfrastructureRequests(books, scheduler, release).requests(),
        }

    def call(self, method: str, arguments: Sequence[Value], driver: str = "") -> list[Scalar]:
        """Carry out a call; its first argument is the session.

        `driver` says how the driver behind it will fail: in the stage of that name, in the first one
        (`fails`), or by never ending (`hangs`). Returns [True, value, 0], or [False, text, code, id of the
        object, replication index]; raises XmlRpcError for a wrong method or arguments of the wrong number
        or type.
        """
        if method not in self.methods:
            raise XmlRpcError(FaultCode.NO_SUCH_METHOD, f"Method '{method}' not defined")
        session = Arguments(arguments).string(0)
        with self.lock:
            now = self._clock.now()
            self.advance()
            try:
                user = self._users.authenticated(session, now)
                if method not in self._requests:
                    raise not_done_here()
                request = Request(user, Arguments(arguments[1:]), now, read_template, driver)
                value = self._requests[method](request)
            except RefusalError as refusal:
                text = f"[{method}] {refusal}"
                return [False, text, int(refusal.code), refusal.object_id, LongInteger(-1)]
        return [True, value, 0]

    def set_image_state(self, image_id: int, state: int) -> None:
        """Put an image into a state, where it stays: LOCKED (4) for instance."""
        with self.lock:
            self.advance()
            image = self.books.images[image_id]
            image.state, image.due = state, None
            self.books.images[image_id] = image

    def set_free_space(self, datastore_id: int, mebibytes: int) -> None:
        """Set the free space of a datastore; 0 makes it full."""
        with self.lock:
            datastore = self.books.datastores[datastore_id]
            datastore.free_mb = mebibytes
            self.books.datastores[datastore_id] = datastore

    def recover(self) -> None:
        """Work out what is not written into a state file."""
        self._life_cycle.recover()
