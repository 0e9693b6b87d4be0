"""A page in German, for `languages=auto`."""

from __future__ import annotations

from .layout import SANS, Line, draw
from .render import Picture

_ROWS = (
    "Die Bäckerei am großen Platz öffnet um sechs Uhr.",
    "Für jede Flasche, die zurückgebracht wird, gibt es",
    "fünf Cent. Während der Ferien bleibt das Geschäft",
    "geschlossen; danach verkaufen wir wieder frische",
    "Brötchen, süße Äpfel und Käse aus den Bergen.",
)


def page() -> Picture:
    lines = [Line(row, 32, 36 + 45 * at, SANS, 23) for at, row in enumerate(_ROWS)]
    return Picture(draw(lines, (700, 280)), "\n".join(_ROWS), 150)
