"""Webhooks: a signed request to the client's receiver when a job ends."""
