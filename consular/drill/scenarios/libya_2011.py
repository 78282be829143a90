"""Libya 2011 (Operation Safe Homecoming): made-up people on the documented frame of India's evacuation.

Figures were published by the Indian government and the press of February and March 2011; each keeps the mark
given to it when it was collected. All figures of the population and of its behaviour are
assumptions except the split over places.
"""

from consular.drill.behaviour import Intent, Line, Rates, SecondText
from consular.drill.numbers import Network
from consular.drill.scenario import Fact, Mark, Place, Population, Scenario

D, X, N, A = Mark.DOCUMENTED, Mark.DISPUTED, Mark.NOT_FOUND, Mark.ASSUMED

PLACES = (
    Place("Tripoli", 2210247, 11_129, (0, 1, 2, 3)),
    Place("Misratah", 2214846, 301, (4,)),
    Place("Sirte", 2210554, 570, (5,)),
    Place("Benghazi", 88319, 3_000, (6, 7), is_eastern=True),
    Place("Sabha", 2212775, 2_000, (8,), is_desert=True),
    Place("Al Jawf", 88962, 1_000, (9,), is_desert=True, is_eastern=True),
)

POPULATION = Population(
    networks=((Network.LIBYAN, 0.72), (Network.INDIAN, 0.275), (Network.THURAYA, 0.005)),
    desert_networks=(
        (Network.LIBYAN, 0.62),
        (Network.INDIAN, 0.30),
        (Network.THURAYA, 0.06),
        (Network.IRIDIUM, 0.02),
    ),
    sources=(("before", 0.35), ("crisis_form", 0.25), ("employer_list", 0.30), ("relative", 0.10)),
    employers=(
        ("DS Constructions", 0.333),
        ("Punj Lloyd", 0.10),
        ("another contractor", 0.217),
        ("hospital or university", 0.12),
        ("own business or other", 0.23),
    ),
    in_camp=0.65,
    camp_size=120,
    family_sharing_phone=0.06,
    family_size=4,
    camp_phone=0.03,
    no_phone=0.04,
    registered_twice=0.04,
    traveller=0.05,
    with_others=0.10,
    with_email=0.40,
)

RATES = Rates(
    lines=(
        (Line.INVALID, 0.02),
        (Line.NOT_MOBILE, 0.02),
        (Line.UNKNOWN_NUMBER, 0.10),
        (Line.UNREACHABLE, 0.13),
        (Line.LANDLINE, 0.01),
        (Line.UNEXPLAINED, 0.02),
        (Line.NO_RECEIPT, 0.03),
        (Line.REACHED, 0.67),
    ),
    intents=(
        (Intent.SAFE, 0.50),
        (Intent.NEEDS_HELP, 0.13),
        (Intent.NOT_THERE, 0.07),
        (Intent.UNCLEAR, 0.05),
        (Intent.WRONG_PERSON, 0.01),
        (Intent.OPT_OUT, 0.003),
        (Intent.NO_ANSWER, 0.237),
    ),
    languages=(("hi", 0.48), ("en", 0.44), ("ar", 0.06), ("fr", 0.02)),
    second_texts=((SecondText.REPEAT, 0.03), (SecondText.CORRECTION, 0.01), (SecondText.NONE, 0.96)),
    link_libyan=0.02,
    link_elsewhere=0.20,
    other_phone=0.04,
    borrowed_phone=0.0055,
    with_count=0.15,
    doubled_webhook=0.03,
)

FACTS = (
    Fact("Indians in Libya", "about 18,000", D, "government figure from 20 Feb 2011"),
    Fact("in Benghazi and around", "3,000", D, "plan published 23 Feb 2011"),
    Fact("in Sebha and around", "2,000", D, "plan published 23 Feb 2011"),
    Fact("in Kufra", "1,000", D, "plan published 23 Feb 2011"),
    Fact(
        "in Tripoli and around",
        "12,000; also 13,000; later 8,000-10,000",
        X,
        "published 23 Feb 2011; aviation minister later",
    ),
    Fact("wished to leave Misurata by ship", "301", D, "published 5 Mar 2011"),
    Fact("left Sirte", "570 (400 by road, 170 by ship)", D, "published 8-10 Mar 2011"),
    Fact("internet cut", "19 Feb 2011, 00:15 GMT", D, "published"),
    Fact("employees of DS Constructions", "about 6,000 (estimate)", D, "published"),
    Fact("employees of Punj Lloyd", "1,800 or 1,400", X, "published, two figures"),
    Fact("mission strength in Tripoli", "8", D, "published"),
    Fact("left Libya by 4 Mar, night", "over 9,200 of 16,000", D, "published"),
    Fact("home by 10 Mar", "15,400", D, "published"),
    Fact("stayed by choice", "2,000-3,000; also 'about 10 %'", X, "published 4 and 11 Mar 2011"),
    Fact("messages sent or answered in 2011", "not found", N, "-"),
    Fact("registered with the embassy before", "not found", N, "-"),
    Fact("age, sex and families", "not found", N, "-"),
    Fact("final audited total", "not found", N, "-"),
    Fact("Misurata and Sirte counted inside Tripoli's 12,000", "yes", A, "the split of 23 Feb adds up only so"),
    Fact("Misurata, Sebha, Kufra in the gazetteer", "Misratah, Sabha, Al Jawf", A, "GeoNames"),
    Fact("text alerts with replies", "none is documented for 2011", A, "drill: the means are today's"),
)

ALERT_TEXTS = {
    "en": "Embassy of India: stay indoors. Keep passport, phone and water ready. Ships and flights are being arranged.",
    "hi": "भारतीय दूतावास: घर के अंदर रहें। पासपोर्ट, फ़ोन और पानी तैयार रखें। जहाज़ और उड़ानों का प्रबंध हो रहा है।",
    "ar": "سفارة الهند: ابقوا في الداخل. جهزوا جواز السفر والهاتف والماء. يجري ترتيب سفن ورحلات جوية.",
    "fr": "Ambassade de l'Inde: restez à l'intérieur. Gardez passeport, téléphone et eau à portée de main. "
    "Des navires et des vols se préparent.",
}

SCENARIO = Scenario(
    name="libya-2011",
    title="Libya 2011 (after Operation Safe Homecoming)",
    country="LY",
    home_country="IN",
    people=18_000,
    speed=180.0,
    places=PLACES,
    population=POPULATION,
    rates=RATES,
    alert_texts=ALERT_TEXTS,
    facts=FACTS,
)
