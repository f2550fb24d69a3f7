"""Disks that outlive VMs: the PDisk service."""
