"""What the workbench keeps: calls that a person asked for, and drafts of what is being typed."""

from .call import Call
from .draft import Draft

__all__ = ["Call", "Draft"]
