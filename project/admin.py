"""The admin of the demo's users, from which staff can notify them."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User

from notifications.admin import NotifyUsersMixin

admin.site.unregister(User)


@admin.register(User)
class DemoUserAdmin(NotifyUsersMixin, UserAdmin):
    """Django's own, with one more action."""
