"""The URLs of a project that has forgotten the app's."""

urlpatterns = []
