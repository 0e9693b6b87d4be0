"""Jobs: documents that are handed in now and read whenever there is time, whatever dies in between."""
