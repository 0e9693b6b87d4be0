"""The chart offers the page for people, unless its values say otherwise."""

from __future__ import annotations

from tests.charts.tools import env, option, render

GATEWAY = "api-gateway"


def test_the_page_is_offered() -> None:
    assert env(render(GATEWAY, {}))["API_GATEWAY_PAGE"] == "true"


def test_the_values_turn_it_off() -> None:
    assert env(option(GATEWAY, "no page"))["API_GATEWAY_PAGE"] == "false"
