"""PDisk, the service of persistent disks."""
