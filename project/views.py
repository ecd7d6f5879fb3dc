"""The demo's pages, from which a visitor can try the app."""

from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from notifications.api import broadcast, notify

from . import jobs
from .forms import BroadcastForm, NotifyForm
from .management.commands.demo_accounts import ACCOUNTS


@require_http_methods(["GET", "HEAD", "POST"])
def home(request: HttpRequest) -> HttpResponse:
    """Show what to try; on POST, notify the chosen user."""
    if not request.user.is_authenticated:
        if request.method == "POST":
            return redirect_to_login(request.path)
        return render(request, "welcome.html", {"accounts": ACCOUNTS})
    name = request.user.get_username()
    form = NotifyForm(request.POST or None, initial={"recipient": name})
    if form.is_valid():
        notify(
            form.cleaned_data["recipient"],
            form.cleaned_data["title"],
            url=form.cleaned_data["url"],
            level=form.cleaned_data["level"],
            category=form.cleaned_data["category"],
            actor=request.user,
        )
        return redirect("home")
    return render(request, "home.html", {"form": form, "broadcast": BroadcastForm()})


@permission_required("live_notifications.add_broadcast", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def send_broadcast(request: HttpRequest) -> HttpResponse:
    """Tell the chosen audience something; otherwise as the home page."""
    form = BroadcastForm(request.POST or None)
    if form.is_valid():
        broadcast(
            form.cleaned_data["title"],
            audience=form.cleaned_data["audience"],
            level=form.cleaned_data["level"],
            created_by=request.user,
        )
        return redirect("home")
    return render(request, "home.html", {"form": NotifyForm(), "broadcast": form})


@login_required
def workshop(request: HttpRequest) -> HttpResponse:
    """Show what the visitor's own jobs say of themselves."""
    return render(request, "workshop.html")


@require_POST
@login_required
def start(request: HttpRequest, job: str) -> HttpResponse:
    """Start a job; what it does is told over the stream."""
    if job not in jobs.JOBS:
        raise Http404(f"No job {job!r}. There are: {', '.join(jobs.JOBS)}.")
    jobs.start(job, request.user)
    return redirect("workshop")
