"""Addresses of comparisons, inside a project."""

from django.urls import path

from apps.evaluations import comparison_views

_COMPARISON = "<int:number>/"

urlpatterns = [
    path("", comparison_views.comparison_list_page, name="comparison-list"),
    path("new/", comparison_views.comparison_create_page, name="comparison-create"),
    path(_COMPARISON, comparison_views.comparison_detail_page, name="comparison-detail"),
    path(f"{_COMPARISON}summary/", comparison_views.comparison_summary_fragment, name="comparison-summary"),
    path(f"{_COMPARISON}panel/", comparison_views.comparison_panel_fragment, name="comparison-panel"),
    path(
        f"{_COMPARISON}examples/<uuid:example_id>/",
        comparison_views.comparison_example_page,
        name="comparison-example",
    ),
]
