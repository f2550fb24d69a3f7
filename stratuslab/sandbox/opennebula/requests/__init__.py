"""What OpenNebula can be asked: one module for each kind of object."""
