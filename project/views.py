"""The demo's home page, from which a visitor can try the app."""

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from notifications.api import notify

from .forms import NotifyForm


@require_http_methods(["GET", "HEAD", "POST"])
def home(request: HttpRequest) -> HttpResponse:
    """Explain what to try; on POST, notify the chosen user."""
    if request.method != "POST":
        form = NotifyForm(initial={"recipient": request.user.get_username()})
        return render(request, "home.html", {"form": form})
    if not request.user.is_authenticated:
        return redirect_to_login(request.path)
    form = NotifyForm(request.POST)
    if not form.is_valid():
        return render(request, "home.html", {"form": form})
    notify(
        form.cleaned_data["recipient"],
        form.cleaned_data["title"],
        body=f"Sent by {request.user.get_username()} from the home page.",
        actor=request.user,
    )
    return redirect("home")
