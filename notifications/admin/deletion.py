"""
What goes with a broadcast that is deleted, without loading what may be millions.

``django.contrib.admin.utils`` has the same for rows that can all be listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import NestedObjects, quote
from django.db import router
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.text import capfirst

from notifications.models import Broadcast, Notification, Receipt

# Of these there may be one for each user of the site. Django deletes them by one
# statement, too.
COUNTED: Final = (Receipt, Notification.users.through)


class Collector(NestedObjects):
    """Collects what would be deleted; of what is ``COUNTED``, the number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.counts: Counter[Any] = Counter()

    def related_objects(
        self, related_model: type[Model], related_fields: Iterable[Field], objs: Any
    ) -> QuerySet[Model]:
        found = super().related_objects(related_model, related_fields, objs)
        if related_model not in COUNTED:
            return found
        self.counts += Counter({related_model: found.count()})
        return found.none()


def get_deleted_objects(
    broadcasts: Sequence[Broadcast], request: HttpRequest, site: AdminSite
) -> tuple[list[str], dict[str, int], set[str], list[str]]:
    """See ``ModelAdmin.get_deleted_objects()``."""
    collector = Collector(using=router.db_for_write(Broadcast), origin=broadcasts)
    collector.collect(broadcasts)
    forbidden: set[str] = set()

    def check(model: type[Model], row: Model | None = None) -> None:
        if site.is_registered(model):
            admin = site.get_model_admin(model)
            if not admin.has_delete_permission(request, row):
                forbidden.add(str(model._meta.verbose_name))

    def describe(row: Model) -> str:
        check(type(row), row)
        opts = row._meta
        name = capfirst(str(opts.verbose_name))
        page = f"{site.name}:{opts.app_label}_{opts.model_name}_change"
        try:
            url = reverse(page, args=[quote(row.pk)])
        except NoReverseMatch:
            return f"{name}: {row}"
        return format_html('{}: <a href="{}">{}</a>', name, url, row)

    found: Counter[Any] = Counter(
        {model: len(rows) for model, rows in collector.model_objs.items()}
    )
    found += collector.counts
    for model in collector.counts:
        check(model)
    return (
        collector.nested(describe),
        {str(model._meta.verbose_name_plural): n for model, n in found.items()},
        forbidden,
        [describe(row) for row in collector.protected],
    )
