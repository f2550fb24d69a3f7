"""The compute service: OpenNebula 3.2 with StratusLab's patches, and the one-proxy before it."""
