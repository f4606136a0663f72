"""REST addresses of spans, under /api/v1/."""

urlpatterns: list = []
