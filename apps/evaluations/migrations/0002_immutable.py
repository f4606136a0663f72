from django.db import migrations

from apps.core.immutability import immutable_trigger


class Migration(migrations.Migration):
    dependencies = [("evaluations", "0001_initial"), ("core", "0002_immutable")]

    operations = [
        immutable_trigger("evaluations_evaluatorversion"),
        # A run's plan is frozen; only how it goes may change.
        immutable_trigger(
            "evaluations_evalrun",
            mutable_columns=(
                "name",
                "status",
                "status_reason",
                "total",
                "started_at",
                "finished_at",
                "finalized_at",
                "driver_token",
                "driver_lease_until",
                "budget_usd",
            ),
        ),
    ]
