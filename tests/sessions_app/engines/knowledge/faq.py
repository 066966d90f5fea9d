"""A small FAQ, and questions about it in other words than its own."""

from collections import Counter
from collections.abc import Sequence

from sessions_app.engines.knowledge.phrasebook import tokens
from sessions_app.engines.responder import Passage

PASSAGES = [
    Passage(f"p{number}", "Green Bikes: questions and answers", text)
    for number, text in enumerate(
        [
            "What are your opening hours?\nThe shop is open Monday to Friday from 9 to 18, and on "
            "Saturday from 10 to 14. We are closed on Sundays and public holidays.",
            "Where is the shop?\nThe shop is at 12 Harbour Street, next to the town library. There "
            "is a car park behind the building.",
            "How long does delivery take?\nDelivery takes three to five working days. Delivery is "
            "free for orders over 50 euros, and costs 4.90 euros for smaller ones.",
            "How do I return an item?\nYou can return an item within 30 days if it is unused. You "
            "get the money back within a week after we receive the parcel.",
            "Which payment methods do you accept?\nWe accept credit cards, PayPal and bank "
            "transfer. In the shop you can also pay cash.",
            "How long is the warranty?\nAll bikes have a warranty of two years. The warranty on "
            "batteries of electric bikes is one year.",
            "Do you repair bikes?\nWe repair bikes of all brands in our workshop. A repair usually "
            "takes two working days, and you need an appointment.",
            "Can I rent a bike?\nYou can rent a city bike for 15 euros a day and an electric bike "
            "for 30 euros a day. To rent one you need an identity card and a deposit of 100 euros.",
            "How do I cancel an order?\nAn order can be cancelled free of charge until it is "
            "shipped. Call us or use the link in the confirmation email.",
            "How do I change my password?\nTo change your password, open your account, choose "
            "Security and then New password. The link that we send you is valid for one hour.",
            "Do you have gift cards?\nGift cards are available from 20 to 500 euros. They are valid "
            "for three years and cannot be exchanged for cash.",
            "Do you offer a discount for students?\nStudents get a discount of ten percent with a "
            "valid student card. Discounts cannot be combined.",
            "Do you ship abroad?\nWe ship to all countries of the European Union. Shipping abroad "
            "costs 12 euros and takes up to ten days.",
            "Can I test a bike?\nTest rides are possible every day without an appointment. Please "
            "bring a helmet.",
            "Do you buy used bikes?\nWe buy used bikes in good condition. Bring the bike and the "
            "receipt, and we make you an offer within 15 minutes.",
        ]
    )
]

# Question, and words that the right answer has.
ANSWERABLE = [
    ("When do you open on Saturday?", "Saturday from 10 to 14"),
    ("Are you open on Sundays?", "closed on Sundays"),
    ("What time does the shop close during the week, Monday to Friday?", "from 9 to 18"),
    ("What is the address of your shop?", "12 Harbour Street"),
    ("Is there somewhere to park my car?", "car park"),
    ("How many days until my delivery comes?", "three to five working days"),
    ("How much is delivery for a small order?", "4.90"),
    ("Is delivery free?", "free for orders over 50"),
    ("I want to send back an item that I bought, can I return it?", "within 30 days"),
    ("When will I get my money back?", "within a week"),
    ("Can I pay with PayPal?", "PayPal"),
    ("Do you take credit cards?", "credit cards"),
    ("Can I pay in cash?", "pay cash"),
    ("What warranty do I get on a bike?", "two years"),
    ("How long is the guarantee, I mean the warranty, on the battery?", "one year"),
    ("My bike is broken, can you repair it?", "repair bikes of all brands"),
    ("How long will the repair take?", "two working days"),
    ("What does it cost to rent an electric bike for a day?", "30 euros a day"),
    ("I'd like to rent a city bike, how much is that?", "15 euros a day"),
    ("How big is the deposit?", "deposit of 100"),
    ("I ordered the wrong thing and want to cancel my order.", "until it is shipped"),
    ("I forgot my password and need to change it.", "New password"),
    ("Do you sell gift cards?", "from 20 to 500"),
    ("How long are gift cards valid?", "three years"),
    ("I am a student, is there a discount?", "ten percent"),
    ("Can you ship to another country, abroad?", "European Union"),
    ("What does shipping abroad cost?", "12 euros"),
    ("Can I take a bike for a test ride?", "Test rides"),
    ("Would you buy my old used bike?", "used bikes in good condition"),
    ("For how long is the password link valid?", "one hour"),
]

UNANSWERABLE = [
    "What is the weather like today?",
    "Can you tell me a joke?",
    "Do you sell motorcycles?",
    "Who is the president of France?",
    "How tall is the manager?",
    "Do you have a job for me?",
    "What is my account balance?",
    "Where is my order number 8421?",
    "Can I bring my dog?",
    "Do you organize birthday parties?",
    "How heavy is the blue mountain bike?",
    "Is the coffee machine working?",
    "Can you lend me some money until Friday?",
    "Which train goes to the airport?",
    "Do you insure bikes against theft?",
]


async def search(query: str, limit: int) -> Sequence[Passage]:
    """The passages with most words of the query."""
    asked = set(tokens(query))
    shared = {
        each.id: sum((Counter(tokens(each.text)) & Counter(asked)).values()) for each in PASSAGES
    }
    found = [each for each in PASSAGES if shared[each.id]]
    return sorted(found, key=lambda each: -shared[each.id])[:limit]
