from django.apps import AppConfig


class FeedbackConfig(AppConfig):
    name = "apps.feedback"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.feedback.looking.version_column import thumbs_column_register

        thumbs_column_register()
