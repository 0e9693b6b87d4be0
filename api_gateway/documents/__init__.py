"""A file with pages until its answer: split in a child process, its pages read by the model servers."""
