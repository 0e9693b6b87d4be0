"""Compare the images' SBOMs with the lock: python3 -m scripts.release.sbom EXPORT SBOM [SBOM].

EXPORT is the lock as Poetry exports it. Fails if the SBOMs together do not list exactly its packages, or if a
component lacks what a scanner needs to look it up: its version and its package URL.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)


def main() -> None:
    export, *sboms = sys.argv[1:]
    wanted = {f"{name.lower()}=={version}" for name, version in PINNED.findall(Path(export).read_text())}
    found: set[str] = set()
    wrong: list[str] = []
    for sbom in sboms:
        listed, faults = read(json.loads(Path(sbom).read_text()))
        found |= listed
        wrong += [f"{sbom}: {fault}" for fault in faults]
    wrong += [f"no SBOM lists {package}" for package in sorted(wanted - found)]
    wrong += [f"not in the lock: {package}" for package in sorted(found - wanted)]
    if wrong or not wanted:
        sys.exit("\n".join(wrong) or f"{export} names no package")
    print(f"The SBOMs list the {len(found)} packages of the lock.")


def read(sbom: dict[str, Any]) -> tuple[set[str], list[str]]:
    """The packages of a CycloneDX document as NAME==VERSION, and what is wrong with it."""
    listed, faults = set(), []
    for component in sbom.get("components", []):
        name, version = component["name"].lower(), component.get("version")
        purl = component.get("purl", "").partition("?")[0]
        if purl.lower() != f"pkg:pypi/{re.sub(r'[-_.]+', '-', name)}@{version}".lower():
            faults.append(f"{name} {version} has the package URL {purl!r}")
        listed.add(f"{name}=={version}")
    return listed, faults


if __name__ == "__main__":
    main()
