"""The state that lasts in a file."""
