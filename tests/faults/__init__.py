"""Faults, really caused, and the services seen to come out whole."""
