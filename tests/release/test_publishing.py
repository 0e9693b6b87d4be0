"""What the other scripts of a release ask of docker, cosign and gh.

Programs that write down their calls stand in for these: publishing needs an account at a registry, and an identity
that only the workflow has.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from scripts.release.version import project_version
from tests import needs

ROOT = Path(__file__).resolve().parents[2]
VERSION = project_version(ROOT)
REPOSITORY = "ghcr.io/you/ocr-service"
NAMES = ("model-server", "api-gateway")
INDEX = f"sha256:{'a' * 64}"
RECORDER = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0") $*" in
    "docker buildx imagetools inspect"*) cat "$REGISTRY" ;;
    "docker buildx build"*)
        while [ "$1" != --metadata-file ]; do shift; done
        echo '{"containerimage.digest": "sha256:b"}' > "$2" ;;
    "gh release view"*) exit "${RELEASED:-1}" ;;
esac
case "$*" in *"${FAILING:-nothing}"*) exit 1 ;; esac
"""


class Release:
    """A folder for the artefacts, and the calls that the scripts made."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "dist"
        self.out.mkdir()
        self.calls = folder / "calls"
        self.calls.touch()
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.registry = folder / "registry"
        self.publish("amd64", "arm64")
        for name in ("docker", "cosign", "gh"):
            (self.programs / name).write_text(RECORDER)
            (self.programs / name).chmod(0o755)

    def publish(self, *architectures: str) -> None:
        """What the registry says an image has, and the attestations, which run nowhere."""
        platforms = [{"os": "linux", "architecture": name} for name in architectures]
        platforms.append({"os": "unknown", "architecture": "unknown"})
        manifests = [{"platform": platform} for platform in platforms]
        self.registry.write_text(json.dumps({"digest": INDEX, "manifests": manifests}))

    def run(self, script: str, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        needs.program("git", "Debian: git")
        path = f"{self.programs}:{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "CALLS": str(self.calls), "REGISTRY": str(self.registry), **env}
        command = [str(ROOT / "scripts" / "release" / script), *map(str, arguments)]
        return subprocess.run(command, cwd="/", env=env, capture_output=True, text=True, check=False)

    def said(self, *words: str) -> list[str]:
        """The calls that have all these words."""
        return [call for call in self.calls.read_text().splitlines() if all(word in call for word in words)]

    def digests(self) -> None:
        for name in NAMES:
            for part in (f"{name}-amd64", f"{name}-arm64", name, f"chart-{name}"):
                (self.out / f"{part}.digest").write_text(f"sha256:{part}\n")


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path)


def test_the_base_gets_the_digest_that_the_registry_has(release: Release) -> None:
    assert release.run("base_image.sh").stdout == f"python:3.11-slim@{INDEX}\n"
    assert release.run("base_image.sh", "mirror/python:3.12").stdout == f"mirror/python:3.12@{INDEX}\n"
    (call, _) = release.said("imagetools inspect")
    assert call.split()[-1] == "python:3.11-slim"


def test_a_base_that_lacks_a_platform_is_refused(release: Release) -> None:
    release.publish("amd64", "s390x")
    ended = release.run("base_image.sh")
    assert ended.returncode == 1
    assert ended.stderr == "python:3.11-slim is not there for linux/arm64\n"


@pytest.mark.parametrize(
    ("name", "file"), [("model-server", "Dockerfile.model"), ("api-gateway", "Dockerfile.gateway")]
)
def test_an_image_is_built_with_its_attestations_and_pushed_without_a_tag(
    release: Release, name: str, file: str
) -> None:
    ended = release.run(
        "build_image.sh", name, "linux/arm64", release.out, REPOSITORY, SOURCE="https://example.org/x"
    )
    assert ended.returncode == 0, ended.stderr
    (call,) = release.said("buildx build")
    for part in (
        "--platform linux/arm64",
        f"--file {file}",
        "--provenance=mode=max --sbom=true",
        f"--output type=image,name={REPOSITORY}/{name},push-by-digest=true,name-canonical=true,push=true",
        f"BASE_IMAGE=python:3.11-slim@{INDEX}",
        f"BASE_DIGEST={INDEX}",
        f"VERSION={VERSION}",
        "SOURCE=https://example.org/x",
    ):
        assert part in call
    assert "--tag" not in call
    assert (release.out / f"{name}-arm64.digest").read_text() == "sha256:b\n"


def test_the_build_arguments_are_those_of_the_dockerfiles(release: Release) -> None:
    release.run(
        "build_image.sh",
        "model-server",
        "linux/amd64",
        release.out,
        APT_MIRROR="http://m",
        PIP_INDEX_URL="http://p",
    )
    (call,) = release.said("buildx build")
    given = {argument.partition("=")[0] for argument in call.split("--build-arg ")[1:]}
    assert given == {"BASE_IMAGE", "BASE_DIGEST", "VERSION", "REVISION", "SOURCE", "APT_MIRROR", "PIP_INDEX_URL"}
    for file in ("Dockerfile.model", "Dockerfile.gateway"):
        for name in given:
            assert f"\nARG {name}" in (ROOT / file).read_text()


def test_without_a_registry_an_image_becomes_a_file(release: Release) -> None:
    base = f"python:3.11-slim@{INDEX}"
    release.run("build_image.sh", "api-gateway", "linux/amd64", release.out, BASE_IMAGE=base)
    (call,) = release.said("buildx build")
    assert f"--output type=oci,dest={release.out}/api-gateway-amd64.tar" in call
    assert not release.said("imagetools"), "the base was given"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("ocr", "linux/amd64"), "no image is called ocr"), (("model-server", "linux/s390x"), "not for linux/s390x")],
)
def test_other_images_and_platforms_are_refused(release: Release, arguments: tuple[str, ...], said: str) -> None:
    ended = release.run("build_image.sh", *arguments, release.out)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert not release.said("buildx")


def test_both_platforms_get_one_tag(release: Release) -> None:
    release.digests()
    ended = release.run("join_platforms.sh", "model-server", release.out, REPOSITORY)
    assert ended.returncode == 0, ended.stderr
    image = f"{REPOSITORY}/model-server"
    (call,) = release.said("imagetools create")
    assert call.endswith(
        f"--tag {image}:{VERSION} {image}@sha256:model-server-amd64 {image}@sha256:model-server-arm64"
    )
    assert (release.out / "model-server.digest").read_text() == f"{INDEX}\n"


@pytest.mark.parametrize("missing", ["amd64", "arm64"])
def test_one_platform_alone_gets_none(release: Release, missing: str) -> None:
    release.digests()
    (release.out / f"api-gateway-{missing}.digest").unlink()
    assert release.run("join_platforms.sh", "api-gateway", release.out, REPOSITORY).returncode == 1
    assert not release.said("imagetools create")


def test_images_and_charts_are_signed_by_their_digests(release: Release) -> None:
    release.digests()
    assert release.run("sign.sh", release.out, REPOSITORY).returncode == 0
    signed = {call.split()[-1] for call in release.said("cosign sign")}
    images = {f"{REPOSITORY}/{name}@sha256:{name}" for name in NAMES}
    assert signed == images | {f"{REPOSITORY}/charts/{name}@sha256:chart-{name}" for name in NAMES}
    assert {call.split()[-1] for call in release.said("cosign sign", "--recursive")} == images
    for name in NAMES:
        (call,) = release.said("cosign attest", f"/{name}@sha256:{name}")
        assert f"--type cyclonedx --predicate {release.out}/{name}.cdx.json" in call


def test_a_verification_names_the_workflow_and_the_tag(release: Release) -> None:
    ended = release.run("verify.sh", REPOSITORY, "1.2.3")
    assert ended.returncode == 0
    assert len(ended.stdout.splitlines()) == 6
    for call in release.said("cosign verify"):
        identity = r"(?i)^https://github\.com/you/ocr-service/\.github/workflows/release\.yml@refs/tags/v1\.2\.3$"
        assert f"--certificate-identity-regexp {identity} " in call
        assert "--certificate-oidc-issuer https://token.actions.githubusercontent.com" in call
    verified = {call.split()[-1] for call in release.said("cosign verify ")}
    assert verified == {f"{REPOSITORY}/{kind}{name}:1.2.3" for name in NAMES for kind in ("", "charts/")}
    assert len(release.said("cosign verify-attestation --type cyclonedx")) == len(NAMES)


def test_one_artefact_that_is_not_signed_fails_it(release: Release) -> None:
    ended = release.run("verify.sh", REPOSITORY, "1.2.3", FAILING="charts/api-gateway:1.2.3")
    assert ended.returncode == 1
    assert f"verified: {REPOSITORY}/api-gateway:1.2.3" in ended.stdout
    assert f"verified: {REPOSITORY}/charts/api-gateway:1.2.3" not in ended.stdout


@pytest.fixture
def dated(release: Release, tmp_path: Path) -> Path:
    """A repository whose changelog has the date of the release, as it has when there is a tag."""
    release.digests()
    root = tmp_path / "repository"
    root.mkdir()
    for name in ("pyproject.toml", "charts", "scripts", "api_gateway", "docs"):
        (root / name).symlink_to(ROOT / name)
    (root / "CHANGELOG.md").write_text(f"# Changelog\n\n## {VERSION} (2026-01-02)\n\n- News.\n")
    return root


@pytest.mark.parametrize("released", [False, True])
def test_the_release_has_its_notes_charts_and_lists(release: Release, dated: Path, released: bool) -> None:
    """Also when it is made again."""
    for name in NAMES:
        (release.out / f"{name}-{VERSION}.tgz").touch()
        (release.out / f"{name}.cdx.json").touch()
    (release.out / "audit.md").touch()
    script = dated / "scripts/release/github_release.sh"
    source = "https://github.com/You/ocr-service"
    ended = release.run(str(script), release.out, REPOSITORY, source, RELEASED="0" if released else "1")
    assert ended.returncode == 0, ended.stderr
    made = release.said(f"gh release {'upload' if released else 'create'} v{VERSION}")
    assert len(made) == 1
    for file in (
        *(f"{name}-{VERSION}.tgz" for name in NAMES),
        *(f"{name}.cdx.json" for name in NAMES),
        "audit.md",
    ):
        assert f"{release.out}/{file}" in made[0]
    text = (release.out / "notes.md").read_text()
    assert text.startswith("- News.\n")
    for name in NAMES:
        assert f"- `{REPOSITORY}/{name}:{VERSION}@sha256:{name}`" in text
        assert f"- `oci://{REPOSITORY}/charts/{name}:{VERSION}@sha256:chart-{name}`" in text
    assert f"https://github.com/You/ocr-service/blob/v{VERSION}/docs/releases.md" in text
