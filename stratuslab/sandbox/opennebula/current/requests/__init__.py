"""What OpenNebula can be asked from 5.12 on, a module a kind of object."""
