"""Machines that answer: SSH servers for running virtual machines."""
