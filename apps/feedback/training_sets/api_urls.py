"""REST addresses."""

from django.urls import path

from apps.feedback.training_sets import api

_SET = "training-sets/<int:number>/"

urlpatterns = [
    path("training-sets/", api.TrainingSetListView.as_view(), name="training-set-list"),
    path(_SET, api.TrainingSetDetailView.as_view(), name="training-set-detail"),
    path(f"{_SET}rows/", api.TrainingRowListView.as_view(), name="training-set-rows"),
    path(f"{_SET}sources/", api.TrainingSourceListView.as_view(), name="training-set-sources"),
    path(f"{_SET}freeze/", api.TrainingSetFreezeView.as_view(), name="training-set-freeze"),
    path(f"{_SET}files/", api.TrainingFileListView.as_view(), name="training-set-files"),
    path(f"{_SET}files/<str:name>/", api.TrainingFileView.as_view(), name="training-set-file"),
]
