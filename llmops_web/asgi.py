import os
import re
import sys

from django.core.asgi import get_asgi_application

from llmops_web.kept_threads import KeptThreads

# Pages that follow a stream share the loop, which must not stand behind each busy thread for 5 ms.
sys.setswitchinterval(0.001)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_web.settings")

REST, VOTES = "/api/v1/", "/api/v1/feedback/"
#: Answers that are waited for, and downloads, take as long as a model, or who reads them, likes.
LONG = re.compile(r"/(complete|export)/?$|/files/[^/]+/?$")


def is_vote(path: str) -> bool:
    return path.startswith(VOTES)


def is_short(path: str) -> bool:
    return path.startswith(REST) and not is_vote(path) and not LONG.search(path)


# Votes have threads of their own: whatever else is asked, they are taken. Anybody may send one, of some size.
application = KeptThreads(
    KeptThreads(get_asgi_application(), meant=is_vote, threads=8, most_bytes=1_000_000),
    meant=is_short,
    threads=16,
)
