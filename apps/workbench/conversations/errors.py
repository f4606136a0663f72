"""What can go wrong with conversations, as the product tells it."""

from __future__ import annotations

from apps.core.errors import Conflict, InvalidInput, NotFound


class ConversationNotFound(NotFound):
    code = "conversation_not_found"


class InvalidTurn(InvalidInput):
    code = "invalid_turn"
    title = "This cannot be sent"
    status = 422


class ContextFull(Conflict):
    """What would be sent does not fit the context window; nothing was sent. Extra: `needed`, `window`."""

    code = "context_full"
    title = "The context window is full"


class ConversationMoved(Conflict):
    """Somebody (another tab) went on with the conversation since the page last saw it."""

    code = "conversation_moved"
    title = "The conversation went on elsewhere"
