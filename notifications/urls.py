"""``path("notifications/", include("notifications.urls"))``."""

from django.urls import path

from . import views

app_name = "notifications"

urlpatterns = [
    path("", views.inbox, name="inbox"),
    path("stream/", views.stream, name="stream"),
    path("worker/", views.worker, name="worker"),
    path("health/", views.health, name="health"),
    path("api/notifications/", views.list_notifications, name="list"),
    path("api/state/", views.state, name="state"),
    path("api/seen/", views.seen, name="seen"),
    path("api/read/", views.read, name="read"),
    path("api/unread/", views.unread, name="unread"),
    path("api/archived/", views.archived, name="archived"),
    path("api/unarchived/", views.unarchived, name="unarchived"),
]
