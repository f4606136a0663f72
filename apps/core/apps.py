from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "apps.core"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.core import second_factor, sign_in_log
        from apps.core.crypto import register_encrypted
        from apps.core.models import ProjectWebhook

        sign_in_log.connect()
        second_factor.register_rotation()
        register_encrypted(ProjectWebhook, "secret")
