"""Another FAQ, with questions that no threshold or word list was adjusted to."""

from collections.abc import Sequence

from sessions_app.engines.knowledge.phrasebook import tokens
from sessions_app.engines.responder import Passage

PASSAGES = [
    Passage(f"p{number}", "Hotel Lindenhof", text)
    for number, text in enumerate(
        [
            "What time is check-in?\nCheck-in is from three in the afternoon. Check-out is until eleven in the morning.",
            "Is breakfast included?\nBreakfast is included in every room rate and is served from seven to ten. Vegan dishes are available.",
            "Do you have parking?\nThe garage costs 18 euros per night. Please reserve a space in advance.",
            "Are pets allowed?\nSmall dogs are welcome for 10 euros per night. Cats are not allowed.",
            "Is there a swimming pool?\nThe pool on the roof is open from May to September. Towels are provided.",
            "Is there wifi?\nWireless internet is free in all rooms. The password is on your key card.",
            "How do I get to the hotel from the airport?\nTram line 4 runs from the airport to the hotel every ten minutes. A taxi costs about 25 euros.",
            "What is the cancellation policy?\nYou can cancel free of charge until 48 hours before arrival. After that the first night is charged.",
            "Can I leave my luggage?\nLuggage can be stored at the reception on the day of departure. This is free.",
            "Do you have a gym?\nThe gym is in the basement and open around the clock. You need your key card.",
            "Do you have family rooms?\nFamily rooms have two bedrooms and sleep up to five people. Cots for babies are free.",
            "Is there a restaurant?\nThe restaurant serves dinner from six to ten, except on Mondays. Reservations are recommended.",
        ]
    )
]

ANSWERABLE = [
    ("When can we check in?", "three in the afternoon"),
    ("Until what time do I have to check out?", "until eleven"),
    ("Does the price include breakfast?", "included"),
    ("At what time is breakfast served?", "seven to ten"),
    ("How much does the garage cost?", "18 euros"),
    ("Where can I park my car?", "garage"),
    ("May I bring my dog?", "Small dogs"),
    ("Can I swim there in July?", "May to September"),
    ("What's the wifi password?", "key card"),
    ("Is the internet free?", "free in all rooms"),
    ("How do I get from the airport to you?", "Tram line 4"),
    ("What would a taxi cost?", "25 euros"),
    ("Can I cancel my booking for free?", "48 hours"),
    ("Can I leave my bags after I check out?", "reception"),
    ("Is the gym open at night?", "around the clock"),
    ("We are a family of five, do you have a room?", "two bedrooms"),
    ("Do you have a cot for our baby?", "Cots"),
    ("Can we have dinner in the restaurant on Monday?", "except on Mondays"),
]

UNANSWERABLE = [
    "Do you have a room tomorrow night?",
    "What is your phone number?",
    "Can I get a massage?",
    "Who won the match yesterday?",
    "Do you rent out skis?",
    "Is smoking allowed on the balcony?",
    "What was on my last invoice?",
    "Can I pay with bitcoin?",
    "How old is the building?",
    "Is the sea far away?",
]


async def search(query: str, limit: int) -> Sequence[Passage]:
    """The passages with most words of the query."""
    asked = set(tokens(query))
    shared = {each.id: len(asked & set(tokens(each.text))) for each in PASSAGES}
    found = [each for each in PASSAGES if shared[each.id]]
    return sorted(found, key=lambda each: -shared[each.id])[:limit]
