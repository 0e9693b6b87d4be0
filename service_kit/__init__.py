"""What both services need, written once: errors, request context, logs, limits, the server, child processes."""
