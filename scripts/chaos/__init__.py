"""Jobs under random kills and stops of every process: `python -m scripts.chaos --minutes M`."""
