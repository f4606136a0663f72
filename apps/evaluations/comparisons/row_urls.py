"""Addresses of a comparison's rows, below the comparison's own."""

from django.urls import path

from apps.evaluations.comparisons import collect_views as comparison_collect_views
from apps.evaluations.comparisons import row_views as comparison_row_views
from apps.evaluations.comparisons.row_exports import comparison_export

_EXAMPLE = "examples/<uuid:example_id>/"
_COMMENT = "comments/<uuid:comment_id>/"

urlpatterns = [
    path("rows/", comparison_row_views.comparison_rows_fragment, name="comparison-rows"),
    path("rows/other-texts/", comparison_row_views.comparison_texts_fragment, name="comparison-texts"),
    path(
        "rows/collect/", comparison_collect_views.comparison_collect_all_page, name="comparison-collect-all"
    ),
    path("rows.csv", comparison_export, {"format": "csv"}, name="comparison-rows-csv"),
    path("rows.jsonl", comparison_export, {"format": "jsonl"}, name="comparison-rows-jsonl"),
    path(_EXAMPLE, comparison_row_views.comparison_example_page, name="comparison-example"),
    path(f"{_EXAMPLE}collect/", comparison_collect_views.comparison_collect_page, name="comparison-collect"),
    path(f"{_EXAMPLE}comments/", comparison_row_views.comparison_comment_add, name="comparison-comment-add"),
    path(_COMMENT, comparison_row_views.comparison_comment_edit, name="comparison-comment-edit"),
    path(
        f"{_COMMENT}delete/",
        comparison_row_views.comparison_comment_delete,
        name="comparison-comment-delete",
    ),
]
