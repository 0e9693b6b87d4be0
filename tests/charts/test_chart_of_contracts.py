"""The chart offers the interfaces of other services that its values name."""

from __future__ import annotations

import pytest

from api_gateway.settings import GatewaySettings
from tests.charts.tools import Values, env, option, refusal, render

GATEWAY = "api-gateway"


def test_all_are_offered_unless_values_say_otherwise() -> None:
    assert env(render(GATEWAY, {}))["API_GATEWAY_CONTRACTS"].split(",") == list(GatewaySettings().contracts)


def test_the_values_choose() -> None:
    chosen = env(option(GATEWAY, "contracts"))
    assert chosen["API_GATEWAY_CONTRACTS"] == "azure"
    assert chosen["API_GATEWAY_PROXIES"] == "10.0.0.0/8,fd00::/8"
    assert env(option(GATEWAY, "no contracts"))["API_GATEWAY_CONTRACTS"] == ""


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"contracts": ["azur"]}, "at '/config/contracts/0'"),
        ({"proxies": ["proxy.example"]}, "PROXIES: proxy.example is not a network"),
    ],
)
def test_what_the_gateway_would_refuse_is_refused(values: Values, said: str) -> None:
    assert said in refusal(GATEWAY, {"config": values})


def test_the_gateway_refuses_it_in_the_same_words() -> None:
    with pytest.raises(ValueError, match=r"PROXIES: proxy\.example is not a network"):
        GatewaySettings(proxies=("proxy.example",))
