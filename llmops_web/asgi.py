import os
import sys

from django.core.asgi import get_asgi_application

from llmops_web.kept_threads import KeptThreads

# Pages that follow a stream share the loop, which must not stand behind each busy thread for 5 ms.
sys.setswitchinterval(0.001)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_web.settings")
application = KeptThreads(get_asgi_application(), prefix="/api/v1/feedback/")
