"""Text for the pictures: real English words in made-up sentences, the same for the same random generator.

The words are common ones, because Tesseract leans on what it has seen: with rare or invented words a test would
measure the model's vocabulary and not the service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_COMMON = """
about above across after again against almost along already also always among animal another answer apple
around autumn away balance basket beach because become before began begin behind believe below between
beyond board boat body book both bottle bottom bread bridge bright bring brother brought brown build
building business butter called camera candle carry center certain chair change cheese children choose
church circle city clear clock close cloud coffee color common company complete corner cotton could count
country course cover cross current dance danger daughter decide deep describe desk different dinner direct
distance doctor dollar door double dream dress drive during early earth east engine enough evening every
example expect express family famous farm father field figure final finger finish first flower follow forest
forward fresh friend front garden gather general gentle glass gold gone good government grass great green
ground group grow guess half hand happen happy harbor heard heart heavy history horse hospital hour house
however hundred hunt idea important include interest island journey jump kept kind kitchen knew land
language large laugh learn leather leave letter level light listen little machine magic make market matter
measure meeting member metal middle minute modern moment money month morning mother mountain mouth move
music name narrow nature near never night north nothing notice number object ocean offer office often open
orange order other outside over paint paper park part party pass pattern people perhaps person phone picture
piece place plain planet plant please pocket point position possible power present press problem produce
promise protect public question quick quiet rabbit railway rather reach ready reason record remember repeat
report rest result return river road rock round safety school science season second sentence separate serve
seven several shape should shoulder silver simple sister small smooth snow soft soldier some song sound
south space speak special spend spring square stand station stone story street strong student study sudden
sugar summer supper surface system table teacher their there thing think though thought through ticket today
together tomorrow toward town trade travel tree trouble under until upon useful valley value village visit
voice wagon wait walk warm watch water weather week welcome west wheat wheel where which while white whole
window winter without wonder wooden word work world would write yard year yellow yesterday young
"""
_GOODS = """
Apples Bananas Batteries Bread Butter Candles Carrots Cheese Chocolate Coffee Cookies Crackers Cream Eggs
Flour Garlic Grapes Honey Lemons Lettuce Matches Milk Mushrooms Mustard Napkins Noodles Onions Oranges
Peaches Pears Pepper Potatoes Rice Salmon Salt Shampoo Soap Spinach Sugar Tomatoes Towels Vinegar Yogurt
"""
_ENDS = "......?!"

WORDS = tuple(_COMMON.split())
GOODS = tuple(_GOODS.split())


def price(rng: Random) -> str:
    """An amount from 1.00 to 99.99, without its currency."""
    return f"{rng.randrange(100, 10_000) / 100:.2f}"


def title(rng: Random, words: int) -> str:
    """Capitalised words, without a full stop."""
    return " ".join(rng.choice(WORDS).capitalize() for _ in range(words))


def sentence(rng: Random) -> str:
    """Five to eleven words; every third sentence or so holds a number, a year or a price."""
    words = [rng.choice(WORDS) for _ in range(rng.randrange(5, 12))]
    where = rng.randrange(2, len(words))
    if rng.random() < 0.35:
        words[where] = rng.choice((str(rng.randrange(12, 1000)), str(rng.randrange(1800, 2030)), f"${price(rng)}"))
    if rng.random() < 0.4:
        words[where - 1] += ","
    return " ".join(words).capitalize() + rng.choice(_ENDS)


def paragraph(rng: Random, sentences: int) -> str:
    return " ".join(sentence(rng) for _ in range(sentences))


def goods(rng: Random, count: int) -> list[tuple[str, str]]:
    """Pairs of a name and a price; no name comes twice."""
    return [(name, price(rng)) for name in rng.sample(GOODS, count)]
