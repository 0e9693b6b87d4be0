"""Reads jobs: claims them from the store, reads their pages, stores each page as it is read."""
