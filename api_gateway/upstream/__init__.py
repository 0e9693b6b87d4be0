"""Calls to the model server, and the limit of concurrent ones."""
