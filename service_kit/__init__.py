"""Code that both services share: errors, request context, logs, limits, the server, child processes."""
