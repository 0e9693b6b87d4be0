"""Where the server is, and how the command behaves; options precede environment variables, those the file."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocr_client import wire
from ocr_client.command.names import printable
from ocr_client.command.stopping import Exit, Stop

# Names in the file: those of the long options, with underscores.
NAMES = frozenset({
    "url", "key", "ca_file", "patience", "at_once", "format", "engine", "languages", "psm", "dpi", "orientation",
    "text_layer", "timeout",
})  # fmt: skip


@dataclass(frozen=True)
class Connection:
    """What each command needs of the server. `patience` and times are in seconds."""

    url: str
    key: str | None
    ca_file: Path | None
    patience: float
    at_once: int

    def check(self) -> None:
        """Raises Stop: the URL, the key or the file is not valid."""
        try:
            wire.base_url(self.url)
            wire.headers_of(self.key)
            if self.ca_file is not None:
                wire.trusted(str(self.ca_file))
        except ValueError as error:
            raise Stop(Exit.USAGE, str(error)) from None
        except OSError as error:  # of the file, also if it is not PEM
            raise Stop(Exit.USAGE, f"{self.ca_file}: {error.strerror or error}") from None

    def arguments(self) -> dict[str, Any]:
        """Those of the clients."""
        return {
            "url": self.url,
            "key": self.key or None,
            "patience": self.patience,
            "at_once": self.at_once,
            "verify": True if self.ca_file is None else str(self.ca_file),
        }


def default_path() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "ocr" / "config.toml"


def from_file(path: Path | None) -> dict[str, Any]:
    """The settings of the file; none if the default one does not exist.

    Raises:
        Stop: the file is missing, not TOML, or has a name that is no setting.
    """
    shown = printable(str(path or default_path()))
    try:
        found = tomllib.loads((path or default_path()).read_text("utf-8"))
    except FileNotFoundError:
        if path is None:
            return {}
        raise Stop(Exit.USAGE, f"There is no file {shown}") from None
    except (OSError, ValueError) as error:
        raise Stop(Exit.USAGE, f"{shown}: {error}") from None
    if unknown := sorted(set(found) - NAMES):
        raise Stop(
            Exit.USAGE, f"{shown}: no such setting: {', '.join(unknown)}. There are: {', '.join(sorted(NAMES))}"
        )
    return found


def state_folder() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "ocr"
