"""Addresses of pages under /p/<project>/feedback/training/."""

from django.urls import path

from apps.feedback.training_sets import views

urlpatterns = [
    path("", views.training_list, name="training-list"),
    path("new/", views.training_new, name="training-new"),
    path("<int:number>/", views.training_detail, name="training-detail"),
    path("<int:number>/row/", views.training_row, name="training-row"),
    path("<int:number>/freeze/", views.training_freeze, name="training-freeze"),
    path("<int:number>/again/", views.training_again, name="training-again"),
    path("<int:number>/delete/", views.training_delete, name="training-delete"),
    path("<int:number>/files/<str:name>", views.training_file, name="training-file"),
]
