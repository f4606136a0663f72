"""Addresses of pages."""

from django.urls import path

from apps.training.watching import views

urlpatterns = [
    path("", views.job_list_page, name="job-list"),
    path("<int:number>/", views.job_detail, name="job-detail"),
    path("<int:number>/stop/", views.job_stop_page, name="job-stop"),
    path("<int:number>/retry/", views.job_retry_page, name="job-retry"),
    path("<int:number>/register/<uuid:checkpoint_id>/", views.job_register_page, name="job-register"),
    path("<int:number>/log.txt", views.job_log_file, name="job-log"),
]
