"""A mounted Secret, laid out and replaced as the kubelet does it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping
from pathlib import Path


class SecretVolume:
    """Each file is a link through `..data`, which is a link to the folder with the present contents."""

    def __init__(self, folder: Path, files: Mapping[str, bytes]) -> None:
        folder.mkdir()
        self._folder = folder
        self._numbers = itertools.count()
        self.replace(files)

    def __truediv__(self, name: str) -> Path:
        return self._folder / name

    def replace(self, files: Mapping[str, bytes]) -> None:
        """Replace all files at once."""
        data = self._folder / "..data"
        before = data.resolve() if data.exists() else None
        new = self._folder / f"..{next(self._numbers)}"
        new.mkdir()
        for name, content in files.items():
            (new / name).write_bytes(content)
        link = self._folder / "..data_tmp"
        link.symlink_to(new.name)
        link.rename(data)
        for name in files:
            if not (self._folder / name).is_symlink():
                (self._folder / name).symlink_to(f"..data/{name}")
        for found in self._folder.iterdir():
            if found.is_symlink() and not found.exists():
                found.unlink()
        if before:
            shutil.rmtree(before)
