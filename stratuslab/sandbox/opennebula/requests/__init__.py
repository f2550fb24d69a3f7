"""What OpenNebula can be asked, a module a kind of object."""
