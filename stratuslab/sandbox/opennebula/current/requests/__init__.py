"""What OpenNebula can be asked from 5.12 on: one module for each kind of object."""
