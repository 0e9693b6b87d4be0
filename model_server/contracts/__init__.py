"""The wire formats: each module converts a call into page requests, and pages into an answer."""
