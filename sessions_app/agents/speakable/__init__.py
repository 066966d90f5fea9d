"""Text that a model writes, made fit to be spoken: sentence by sentence, while the rest is written.

``SentenceSplitter`` finds the sentences of text that arrives in pieces; ``speakable`` turns one of
them into words: without markdown, and with links, addresses, numbers, amounts, dates and telephone
numbers as a person would say them.
"""

from sessions_app.agents.speakable.sentences import SentenceSplitter as SentenceSplitter
from sessions_app.agents.speakable.spoken import speakable as speakable
