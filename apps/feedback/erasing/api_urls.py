"""REST addresses."""

from django.urls import path

from apps.feedback.erasing.api import SubjectEraseView

urlpatterns = [
    path("subjects/erase/", SubjectEraseView.as_view(), name="subject-erase"),
]
