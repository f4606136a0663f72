"""Addresses of pages."""

from django.urls import path

from apps.training.planning import views

urlpatterns = [
    path("new/", views.job_new, name="job-new"),
    path("<int:number>/copy/", views.job_copy_page, name="job-copy"),
    path("<int:number>/plan/", views.job_plan, name="job-plan"),
    path("<int:number>/plan/checks/", views.job_checks, name="job-plan-checks"),
    path("<int:number>/plan/parts/", views.job_parts, name="job-plan-parts"),
    path("<int:number>/plan/check/", views.job_check, name="job-plan-check"),
    path("<int:number>/plan/discard/", views.job_discard, name="job-plan-discard"),
]
