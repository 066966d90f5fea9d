"""Every address. Each app brings its own; this page only says where they hang."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]
