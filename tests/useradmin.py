"""The admin of this project's user model, with what the app adds to it."""

from django.contrib import admin
from django.contrib.auth import get_user_model

from notifications.admin import NotifyUsersMixin

User = get_user_model()


class UserAdmin(NotifyUsersMixin, admin.ModelAdmin):
    search_fields = (User.USERNAME_FIELD,)
    ordering = (User.USERNAME_FIELD,)


if admin.site.is_registered(User):
    admin.site.unregister(User)
admin.site.register(User, UserAdmin)
