"""VMs: OpenNebula's calls and documents."""
