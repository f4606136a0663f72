"""REST addresses."""

from django.urls import path

from apps.training.watching import api

_JOB = "fine-tuning-jobs/<int:number>/"

urlpatterns = [
    path(_JOB, api.JobDetailView.as_view(), name="fine-tuning-job-detail"),
    path(f"{_JOB}stop/", api.JobStopView.as_view(), name="fine-tuning-job-stop"),
    path(f"{_JOB}retry/", api.JobRetryView.as_view(), name="fine-tuning-job-retry"),
    path(f"{_JOB}points/", api.JobPointsView.as_view(), name="fine-tuning-job-points"),
    path(f"{_JOB}log/", api.JobLogView.as_view(), name="fine-tuning-job-log"),
    path(f"{_JOB}samples/", api.JobSamplesView.as_view(), name="fine-tuning-job-samples"),
    path(f"{_JOB}checkpoints/", api.JobCheckpointsView.as_view(), name="fine-tuning-job-checkpoints"),
    path(
        f"{_JOB}checkpoints/<uuid:checkpoint_id>/register/",
        api.JobCheckpointRegisterView.as_view(),
        name="fine-tuning-checkpoint-register",
    ),
    path(f"{_JOB}trials/", api.JobTrialsView.as_view(), name="fine-tuning-job-trials"),
]
