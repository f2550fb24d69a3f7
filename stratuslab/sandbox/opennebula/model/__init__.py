"""What OpenNebula keeps: VMs, hosts, networks, images, users."""
