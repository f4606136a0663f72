"""Addresses of comparisons, inside a project."""

from django.urls import include, path

from apps.evaluations.blind import views as blind_views
from apps.evaluations.comparisons import decision_views, report_views
from apps.evaluations.comparisons import views as comparison_views

_COMPARISON = "<int:number>/"

urlpatterns = [
    path("", comparison_views.comparison_list_page, name="comparison-list"),
    path("new/", comparison_views.comparison_create_page, name="comparison-create"),
    path(_COMPARISON, comparison_views.comparison_detail_page, name="comparison-detail"),
    path(f"{_COMPARISON}summary/", comparison_views.comparison_summary_fragment, name="comparison-summary"),
    path(f"{_COMPARISON}panel/", comparison_views.comparison_panel_fragment, name="comparison-panel"),
    path(f"{_COMPARISON}again/", comparison_views.comparison_again, name="comparison-again"),
    path(_COMPARISON, include("apps.evaluations.comparisons.row_urls")),
    path(f"{_COMPARISON}blind/", blind_views.comparison_blind_page, name="comparison-blind"),
    path(f"{_COMPARISON}decide/", decision_views.comparison_decide_page, name="comparison-decide"),
    path(f"{_COMPARISON}report/", report_views.comparison_report_page, name="comparison-report"),
]
