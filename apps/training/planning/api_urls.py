"""REST addresses."""

from django.urls import path

from apps.training.planning import api

urlpatterns = [
    path("fine-tuning-settings/", api.SettingListView.as_view(), name="fine-tuning-setting-list"),
    path("fine-tuning-jobs/", api.JobListCreateView.as_view(), name="fine-tuning-job-list"),
    path("fine-tuning-jobs/<int:number>/plan/", api.JobPlanView.as_view(), name="fine-tuning-job-plan"),
    path("fine-tuning-jobs/<int:number>/copy/", api.JobCopyView.as_view(), name="fine-tuning-job-copy"),
    path("fine-tuning-jobs/<int:number>/start/", api.JobStartView.as_view(), name="fine-tuning-job-start"),
]
