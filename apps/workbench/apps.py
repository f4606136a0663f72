from django.apps import AppConfig


class WorkbenchConfig(AppConfig):
    name = "apps.workbench"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.evaluations.engine.other_spending import spending_register
        from apps.workbench.calls.spending import calls_spending

        spending_register("workbench", calls_spending)
