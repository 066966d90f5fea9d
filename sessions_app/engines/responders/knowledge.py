"""``knowledge://``: answers from documents alone, offline, without a model.

An answer is a sentence of a document, word for word, if one matches the question well enough (see
``knowledge/matching.py``). If none does, the caller is asked back once, and is then offered a
person. It recognizes greetings, goodbyes, thanks, yes and no, "a person, please" and "repeat that"
in the languages of ``knowledge/phrases``. The same conversation always gets the same answer. It
says that it is an automatic assistant.
"""

from collections.abc import AsyncGenerator
from typing import Final

import numpy as np

from sessions_app.engines.knowledge.matching import Answer, candidates, choose
from sessions_app.engines.knowledge.phrasebook import Phrasebook, phrasebook, tokens
from sessions_app.engines.responder import (
    Finished,
    Responder,
    ResponseEvent,
    ResponseRequest,
    TextDelta,
    ToolCall,
    embedded,
)
from sessions_app.engines.urls import EngineContext, EngineURL

TRANSFER: Final = "transfer_to_human"
END_CALL: Final = "end_call"

_PASSAGES: Final = 8


def from_url(url: EngineURL, context: EngineContext) -> "KnowledgeResponder":
    """The responder; it has no options."""
    url.read_options()
    return KnowledgeResponder()


class KnowledgeResponder(Responder):
    """Answers from what ``ResponseRequest.search`` finds, or else from its passages."""

    name = "knowledge"

    async def _respond(self, request: ResponseRequest) -> AsyncGenerator[ResponseEvent, None]:
        if request.conversation[-1].role != "user":  # both tools that it calls need no more words
            yield Finished("stop")
            return
        turn = _Turn(request)
        reply, tool, passages = turn.small_talk() or await turn.answer()
        yield TextDelta(reply)
        if tool and request.has_tool(tool):
            number = sum(message.role == "user" for message in request.conversation)
            reason = {"reason": turn.said} if tool == TRANSFER else {}
            yield ToolCall(f"call_{number}", tool, reason)
            yield Finished("tool_calls", passages=passages)
        else:
            yield Finished("stop", passages=passages)


_Reply = tuple[str, str, tuple[str, ...]]
"""What is said, the tool that is called or an empty string, and the ids of the passages used."""


class _Turn:
    """The caller's last words, in their conversation."""

    def __init__(self, request: ResponseRequest) -> None:
        self._request = request
        self._book: Phrasebook = phrasebook(request.language)
        self._conversation = [each for each in request.conversation if each.role != "tool"]
        self.said = self._conversation[-1].content
        self._words = tokens(self.said)

    def small_talk(self) -> _Reply | None:
        """The reply to what is no question about the documents."""
        book, words = self._book, self._words
        if book.find("machine", words) and self._little_else():
            return self._say("machine")
        if book.find("person", words) and self._little_else():
            return self._transfer()
        if self._replied("offer") and book.only(words, "yes", "thanks"):
            if not book.find("yes", words):
                return self._say("more")
            return self._transfer()
        if self._replied("offer") and self._little_else():
            if book.begins("yes", words):
                return self._transfer()
            if book.begins("no", words):
                return self._say("more")
        if book.only(words, "repeat") and (again := self._again()):
            return again
        if book.only(words, "goodbye", "thanks", "no", "yes") and book.find("goodbye", words):
            return self._say("goodbye", END_CALL)
        if book.only(words, "no", "thanks") and book.find("no", words):
            if self._replied("more") or self._replied("welcome"):
                return self._say("goodbye", END_CALL)
            return self._say("more")
        if book.only(words, "thanks", "yes") and book.find("thanks", words):
            return self._say("welcome")
        if book.only(words, "yes"):
            return self._say("question")
        if book.only(words, "greeting"):
            return self._say("introduction")
        return None

    async def answer(self) -> _Reply:
        """The reply to a question."""
        found = await self._find(self._question())
        if found is not None:
            return found.text, "", (found.passage.id,)
        if not self._replied("again"):
            return self._say("again")
        if self._request.has_tool(TRANSFER):
            return self._say("offer")
        return self._say("unknown")

    async def _find(self, said: str) -> Answer | None:
        request = self._request
        question = self._book.content(self._book.without(tokens(said), "greeting", "thanks"))
        if not question:
            return None
        passages = request.passages
        if request.search is not None:
            passages = tuple(await request.search(said, _PASSAGES))
        among = candidates(passages)
        rows = await embedded(request, [said, *(each.full for each in among)] if among else [])
        similarity = None if rows is None else np.asarray(rows[1:] @ rows[0], np.float32)
        return choose(question, among, self._book, similarity)

    def _little_else(self) -> bool:
        """Whether at most one word is said, in a question none, that the phrases do not hold.

        If not, the documents are asked: "what are the hours of customer service".
        """
        book = self._book
        rest = [word for word in book.content(self._words) if word not in _familiar(book)]
        return len(rest) <= (0 if book.find("interrogative", self._words) else 1)

    def _transfer(self) -> _Reply:
        if self._request.has_tool(TRANSFER):
            return self._say("transfer", TRANSFER)
        return self._say("alone")

    def _again(self) -> _Reply | None:
        """The last reply once more; None: it was an answer that the caller did not hear whole."""
        for message in reversed(self._conversation[:-1]):
            if message.role == "assistant" and message.content:
                if not message.interrupted:
                    return message.content, "", ()
                heard = message.content.rstrip(" .…")
                replies = self._book.replies.values()
                whole = [reply for reply in replies if reply.startswith(heard)]
                return (whole[0], "", ()) if whole else None
        return None

    def _question(self) -> str:
        """What was asked: before "repeat that", if that is all that is said now."""
        if self._book.only(self._words, "repeat"):
            for message in reversed(self._conversation[:-1]):
                if message.role == "user":
                    return message.content
        return self.said

    def _replied(self, name: str) -> bool:
        """Whether the last reply was this one, or as much of it as the caller let it say."""
        for message in reversed(self._conversation[:-1]):
            if message.role == "assistant":
                heard = message.content.rstrip(" .…")
                whole = self._book.replies[name]
                return bool(heard) and (whole.startswith(heard) or whole in message.content)
        return False

    def _say(self, name: str, tool: str = "") -> _Reply:
        return self._book.replies[name], tool, ()


def _familiar(book: Phrasebook) -> frozenset[str]:
    """The words of phrases about who answers, and of those that go with them."""
    return frozenset(
        word
        for meaning in ("person", "machine", "politeness", "greeting", "yes", "no")
        for phrase in book.said[meaning]
        for word in phrase
    )
