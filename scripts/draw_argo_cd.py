"""Draw the trees of Argo CD's Applications, where there is no browser.

ARGOCD_PASSWORD=... python -m scripts.draw_argo_cd http://127.0.0.1:8080 docs/argo-cd.png model-server api-gateway

What is drawn is what Argo CD's API gives: each object, its owner, its state.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import httpx
from matplotlib.figure import Figure

STEP_X, STEP_Y = 2.6, 0.55  # inches between columns, and between lines
BOX = {"boxstyle": "round,pad=0.4", "edgecolor": "#8fa3ad", "facecolor": "white"}
COLOURS = {"Healthy": "#18a567", "Progressing": "#0dadea", "Degraded": "#e96d76", "": "#8fa3ad"}

Node = dict[str, Any]


def main() -> None:
    url, picture, *names = sys.argv[1:]
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as argo_cd:
        login = {"username": "admin", "password": os.environ["ARGOCD_PASSWORD"]}
        token = argo_cd.post("/api/v1/session", json=login).raise_for_status().json()["token"]
        argo_cd.headers["authorization"] = f"Bearer {token}"
        draw([line for name in names for line in lines(argo_cd, name)], Path(picture))


def lines(argo_cd: httpx.Client, name: str) -> list[tuple[int, str, str]]:
    """An Application and what it owns, depth first: depth, text, health."""
    status = argo_cd.get(f"/api/v1/applications/{name}").raise_for_status().json()["status"]
    tree = argo_cd.get(f"/api/v1/applications/{name}/resource-tree").raise_for_status().json()["nodes"]
    owned: dict[str, list[Node]] = {}
    for node in sorted(tree, key=lambda node: (node["kind"], node["name"])):
        for owner in node.get("parentRefs", [{"uid": ""}]):
            owned.setdefault(owner["uid"], []).append(node)

    def below(uid: str, depth: int) -> list[tuple[int, str, str]]:
        found = []
        for node in owned.get(uid, []):
            health = node.get("health", {}).get("status", "")
            found.append((depth, f"{node['kind']}\n{node['name']}", health))
            found += below(node["uid"], depth + 1)
        return found

    top = f"Application, {status['sync']['status']}\n{name}"
    return [(0, top, status["health"]["status"]), *below("", 1)]


def draw(found: list[tuple[int, str, str]], picture: Path) -> None:
    """One line for each object, further right the deeper it lies; a line to its owner."""
    width, height = STEP_X * (1 + max(depth for depth, *_ in found)), STEP_Y * (len(found) + 1)
    figure = Figure(figsize=(width, height), dpi=80)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    owners: dict[int, float] = {}
    for at, (depth, text, health) in enumerate(found):
        x, y = STEP_X * depth + 0.2, STEP_Y * (at + 1)
        owners[depth] = y
        if depth:
            left = STEP_X * (depth - 1) + 0.6
            axes.plot([left, left, x], [owners[depth - 1] + 0.2, y, y], color="#8fa3ad", linewidth=1, zorder=0)
        axes.plot([x], [y], "o", color=COLOURS.get(health, COLOURS[""]), markersize=8)
        axes.text(x + 0.2, y, text, fontsize=8, va="center", bbox=BOX)
    figure.savefig(picture, metadata={"Software": None})


if __name__ == "__main__":
    main()
