from django.apps import AppConfig


class EvaluationsConfig(AppConfig):
    name = "apps.evaluations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.core.crypto import register_encrypted
        from apps.evaluations.models import EvaluatorSecret

        register_encrypted(EvaluatorSecret, "token")
