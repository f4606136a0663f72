"""What the workbench keeps: calls that a person asked for, drafts of what is being typed, trials on rows and
conversations."""

from .call import Call
from .conversation import Conversation, Turn
from .draft import Draft
from .trial import Trial, TrialCell, TrialScore

__all__ = ["Call", "Conversation", "Draft", "Trial", "TrialCell", "TrialScore", "Turn"]
