"""Finding passages of a knowledge base, by words and by meaning.

``search(base, query, limit)`` is for everybody; the modules beside it are its parts.
"""

from sessions_app.agents.knowledge.ranking import Found as Found
from sessions_app.agents.knowledge.ranking import search as search
