"""Point Argo CD at another repository: make fork REPO=https://github.com/you/ocr-service.git [REVISION=branch].

Rewrites repoURL in the three manifests under argo-cd/, and the links in the dashboard and the alerts. Commit and
push the changes: Argo CD reads the charts from that repository.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

from scripts import bundle

PROJECT = Path("argo-cd/app-project.yaml")
SETS = (Path("argo-cd/applicationset-model-server.yaml"), Path("argo-cd/applicationset-api-gateway.yaml"))
LINKS = (Path("grafana/ocr-service.json"), Path("prometheus/alerts.yaml"), Path("prometheus/alerts-test.yaml"))
URL = re.compile(r"(https?|ssh|git|file)://\S+|[\w.-]+@[\w.-]+:\S+")


def main() -> None:
    if len(sys.argv) not in {2, 3} or not URL.fullmatch(sys.argv[1]):
        sys.exit(f"{__doc__}\nusage: python -m scripts.point_at_fork URL [REVISION]")
    point(Path(), sys.argv[1], *sys.argv[2:])


def point(root: Path, url: str, revision: str | None = None) -> None:
    (old,) = yaml.safe_load((root / PROJECT).read_text())["spec"]["sourceRepos"]
    for path in (PROJECT, *SETS):
        replace(root / path, old, url)
        if revision and path in SETS:
            text = (root / path).read_text()
            (root / path).write_text(re.sub(r"^( +revision: ).+", rf"\g<1>{revision}", text, flags=re.MULTILINE))
    for path in LINKS:
        replace(root / path, page(old), page(url))
    bundle.write(root)


def page(url: str) -> str:
    """The repository's web address."""
    return re.sub(r"^[\w.-]+@([\w.-]+):", r"https://\1/", url).removesuffix(".git").removesuffix("/")


def replace(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


if __name__ == "__main__":
    main()
