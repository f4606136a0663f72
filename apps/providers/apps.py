from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    name = "apps.providers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.core.actor import Actor
        from apps.core.crypto import register_encrypted
        from apps.core.models import Project
        from apps.core.projects import on_project_created
        from apps.providers.models import Provider
        from apps.providers.services import local_provider_ensure

        def ensure_local_provider(project: Project, by: Actor) -> None:
            local_provider_ensure(project=project, by=by)

        register_encrypted(Provider, "credential")
        on_project_created(ensure_local_provider)
