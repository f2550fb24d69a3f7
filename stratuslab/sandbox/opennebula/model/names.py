"""The names of OpenNebula's objects."""

NAME_LIMIT = 128
"""How many bytes a name may have."""
