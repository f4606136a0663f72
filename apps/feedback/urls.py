"""What people say of answers, under /p/<project>/feedback/. Each part names its own addresses."""

from django.urls import include, path

app_name = "feedback"

urlpatterns = [
    path("chat/", include("apps.feedback.chat.urls")),
    path("settings/", include("apps.feedback.thumbs.urls")),
    path("queues/", include("apps.feedback.labelling.urls")),
    path("queues/", include("apps.feedback.agreement.urls")),
    path("queues/", include("apps.feedback.pairs.urls")),
    path("queues/", include("apps.feedback.queues.urls")),
    path("judges/", include("apps.feedback.judging.urls")),
    path("training/", include("apps.feedback.training_sets.urls")),
    path("erase/", include("apps.feedback.erasing.urls")),
    path("", include("apps.feedback.looking.urls")),
]
