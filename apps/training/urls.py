"""Fine-tuning and the registry, under /p/<project>/. Each part names its own addresses."""

from django.urls import include, path

app_name = "training"

urlpatterns = [
    path("fine-tuning/", include("apps.training.planning.urls")),
    path("fine-tuning/", include("apps.training.watching.urls")),
    path("models/", include("apps.training.measuring.urls")),
    path("models/", include("apps.training.registry.urls")),
]
