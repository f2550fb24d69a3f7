"""Machines that answer over SSH (`--ssh`)."""
