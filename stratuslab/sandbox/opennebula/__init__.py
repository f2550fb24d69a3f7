"""OpenNebula, and the one-proxy before it."""
