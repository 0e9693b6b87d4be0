"""The steps of a release. .github/workflows/release.yml calls them; docs/releases.md describes them."""
