"""The Celery application: the broker's address and delivery rules; tasks live in `worker`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_web.settings")

app = Celery("llmops_web")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()
