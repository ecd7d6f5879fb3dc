"""The demo's URLs: the app is mounted as in any project."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("broadcast/", views.send_broadcast, name="broadcast"),
    path("workshop/", views.workshop, name="workshop"),
    path("workshop/<slug:job>/", views.start, name="start"),
    path("accounts/", include("django.contrib.auth.urls")),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("notifications/", include("notifications.urls")),
    # Browsers ask for it on the admin's pages, which name no icon.
    path("favicon.ico", RedirectView.as_view(url=static("project/icon.svg"))),
]
