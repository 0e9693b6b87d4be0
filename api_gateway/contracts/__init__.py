"""Interfaces of other services, in which applications call this one: their paths, keys and errors."""
