"""Receives an upload, identifies its format, and keeps it in memory or on disk."""
