"""The words of the pages, by language. Each kind of word is divided into two halves, one for each family of seeds.

The sentences are of the project's own making: common words in a fixed plan of a sentence, without a meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.pictures import text

if TYPE_CHECKING:
    from quality.page import Split


@dataclass(frozen=True)
class Vocabulary:
    """A language's words. A sentence is: subject, verb, object, place or time; `joins` connect two sentences."""

    subjects: tuple[str, ...]
    verbs: tuple[str, ...]
    objects: tuple[str, ...]
    ends: tuple[str, ...]
    joins: tuple[str, ...]
    quotes: tuple[str, str] = ("“", "”")
    question: str = ""


def half(words: tuple[str, ...], split: Split) -> tuple[str, ...]:
    """Every second word; the two halves have no word in common."""
    return words[0::2] if split == "reported" else words[1::2]


def _words(listed: str) -> tuple[str, ...]:
    return tuple(listed.split())


def _phrases(listed: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in listed.replace("\n", " ").split("|"))


WORDS = text.WORDS
GOODS = text.GOODS
FIRST_NAMES = _words("""
    Martha Oliver Judith Samuel Rebecca Patrick Helena Gregory Sophia Vincent Amelia Dominic
    Beatrice Walter Cecilia Norman Eleanor Hugo Florence Leonard Isabel Edmund Laura Philip Nadia
    Rupert Priya Tobias
""")
LAST_NAMES = _words("""
    Whitfield Okafor Brandt Marlowe Sandoval Keating Lindqvist Abbott Ferraro Huxley Novak Prescott
    Tanaka Drummond Castellan Wexford Moreau Ashby Kowalski Thornbury Vance Delgado Ridley Haversham
    Osborne Quigley Stanhope Yeats
""")
STREETS = _words("""
    Alder Birchwood Chestnut Dover Elmhurst Foxglove Granary Hawthorn Ivy Juniper Kingsway Larkspur
    Mulberry Nutmeg Orchard Primrose Quarry Rosemary Saffron Thistle
""")
TOWNS = _words("""
    Ashbourne Bellford Carrowmore Dunmere Eastleigh Fairhaven Glenbrook Harwick Inverley Kelton
    Lowestead Millbridge Northam Oakvale Penrose Redcliff Stonebury Tarrington
""")
COMPANIES = _words("""
    Acorn Beacon Copper Delta Ember Falcon Granite Horizon Indigo Juniper Keystone Lantern Meridian
    Nimbus Osprey Pinnacle Quartz Summit Topaz Vertex
""")
TRADES = ("Supplies", "Logistics", "Hardware", "Foods", "Textiles", "Instruments", "Partners", "Energy")
FIELDS = (
    "Full name", "Policy number", "Date of birth", "Telephone", "Postal code", "Occupation", "Employer",
    "Nationality", "Account holder", "Reference", "Department", "Project title", "Contact person", "Invoice date",
    "Delivery address", "Email", "Tax number", "Place of birth", "Supervisor", "Vehicle type", "Registration no.",
    "Sample code", "Quantity", "Unit price", "Purchase order", "Country of origin", "Net weight", "Serial number",
)  # fmt: skip
COLUMN_HEADS = (
    "Item", "Region", "Qty", "Units", "Price", "Total", "Jan", "Feb", "Q1", "Q2", "Rate %", "Change", "Code",
    "Batch", "Mean", "Median", "Min", "Max", "Date", "Due", "Weight", "Volume", "Stock", "Sold", "Cost", "Tax",
    "Net", "Gross",
)  # fmt: skip
THANKS = (
    "Thank you for shopping with us", "Please come again", "Keep this receipt for returns",
    "Returns within 30 days with receipt", "Have a pleasant day", "Goods remain our property until paid",
    "You were served by", "Visit us online for offers",
)  # fmt: skip

LANGUAGES: dict[str, Vocabulary] = {
    "deu": Vocabulary(
        _phrases("""
            die Bürgermeisterin | der Bäcker | unser Schüler | die Ärztin | der Förster |
            meine Großmutter | das Mädchen | der Händler | die Köchin | der Gärtner | eine Tänzerin |
            der Präsident
        """),
        _phrases("""
            prüft | öffnet | schließt | verkäuft | zählt | überreicht | erklärt | genießt | bemüht |
            fährt | wäscht | bestätigt
        """),
        _phrases("""
            die größten Äpfel | das süße Brötchen | den täglichen Bericht | die Schlüssel der Küche |
            ein Stück Käse | die Rückfahrkarte | das Gebäude | die Übersetzung | fünf Körbe |
            den weißen Mantel | die Gebühren | das Gemälde
        """),
        _phrases("""
            am frühen Abend | in der Nähe des Flusses | während der Übung | für die Gäste |
            über den Dächern | gegenüber der Universität | nach der Prüfung | vor dem Frühstück |
            im nächsten Jahr | auf der Straße
        """),
        _phrases("und außerdem | weil natürlich | obwohl häufig | während"),
        ("„", "“"),
    ),
    "fra": Vocabulary(
        _phrases("""
            le maître | la réceptionniste | notre élève | le garçon | la fenêtre | ma sœur aînée |
            l'évêque | le médecin | la boulangère | l'étranger | la forêt | le théâtre
        """),
        _phrases("""
            préfère | achète | reçoit | décrit | répète | complète | améliore | dévoile | protège |
            espère | réveille | enlève
        """),
        _phrases("""
            les pâtes fraîches | un gâteau aux pêches | la clé du château | le goût du thé |
            une leçon de français | les œufs brouillés | le reçu égaré | ces déjeuners légers |
            un hôtel bientôt prêt | la façade abîmée
        """),
        _phrases("""
            après le dîner | à côté de la gare | là-bas, près du marché | dès le début de l'été |
            malgré la tempête | où naît la rivière | pendant la récréation | à l'hôpital |
            au cœur de la ville | derrière l'église
        """),
        _phrases("et peut-être | parce que déjà | même si | tandis que"),
        ("«", "»"),
    ),
    "spa": Vocabulary(
        _phrases("""
            el niño pequeño | la señora Muñoz | mi compañero | el médico | la cigüeña | el pingüino |
            nuestra tía | el jardín | la canción | el avión | la niñera | el capitán
        """),
        _phrases("""
            leyó | añadió | enseñó | pidió | construyó | soñó | escribió | acompañó | recogió | oyó |
            cortó | vendió
        """),
        _phrases("""
            el azúcar y el café | una piña madura | la razón del daño | los árboles del camino |
            un baño pequeño | la montaña más alta | el último tren | las lágrimas de ayer |
            el teléfono rápido | una lección difícil
        """),
        _phrases("""
            por la mañana | según el periódico | después del otoño | en el corazón del país |
            detrás del balcón | aquí, junto al río | hasta el próximo sábado | sin ningún motivo |
            allí, en la estación | entre los leñadores
        """),
        _phrases("y también | porque además | aunque quizás | mientras"),
        ("«", "»"),
        "¿",
    ),
    "ita": Vocabulary(
        _phrases("""
            la città | il papà | l'università | la nonna | il lunedì | un'amica | il caffè |
            la gioventù | lo specchio | il colibrì | la società | il gattino
        """),
        _phrases("""
            porterà | cercò | è rimasta con | verrà con | perché ama | finì | aprirà | lasciò |
            scoprì | chiuderà | darà | comprò
        """),
        _phrases("""
            più libertà | la felicità dei ragazzi | il tè freddo | quell'albero | dell'acqua limpida |
            un metrò affollato | la verità | le qualità del vino | una novità | la metà del pane
        """),
        _phrases("""
            così lontano | già di venerdì | lì vicino al fiume | dopo l'estate | giù in cortile |
            all'angolo della via | con un po' di pazienza | finché c'è luce | laggiù, sull'isola |
            nell'ultima metà dell'anno
        """),
        _phrases("e però | perché ormai | benché | poiché"),
    ),
}
