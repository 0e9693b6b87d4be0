"""What a parent and its child process write to each other: frames.

A frame is two lengths of four bytes each (little-endian), then a JSON header, then raw bytes.
"""

from __future__ import annotations

import struct
from typing import Any

LENGTHS = struct.Struct("<II")

Header = dict[str, Any]
Payload = bytes | tuple[bytes | memoryview, ...]
"""Raw bytes, or pieces that follow each other without being joined in memory."""


def pieces_of(payload: Payload) -> tuple[bytes | memoryview, ...]:
    return payload if isinstance(payload, tuple) else (payload,)


def size_of(payload: Payload) -> int:
    """Bytes of all pieces."""
    return sum(map(len, pieces_of(payload)))
