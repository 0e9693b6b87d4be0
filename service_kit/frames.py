"""What a parent and its child process write to each other: frames.

A frame is two lengths of four bytes each (little-endian), then a JSON header, then raw bytes.
"""

from __future__ import annotations

import struct
from typing import Any

LENGTHS = struct.Struct("<II")

Header = dict[str, Any]
