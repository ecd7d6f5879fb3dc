"""What is stored. Saving is not sending: nothing here knows the bus."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from . import constants
from .categories import GENERAL
from .constants import Level, Placement
from .events import Cursor
from .links import is_safe, validate_link


class NotificationQuerySet(models.QuerySet["Notification"]):
    def visible(self, now: datetime) -> Self:
        """Due and not expired at *now*, which is the database's time."""
        return self.filter(
            Q(publish_at__lte=now) & (Q(expires_at=None) | Q(expires_at__gt=now))
        )

    def unannounced(self, now: datetime) -> Self:
        """Due at *now* and not yet put on the wire."""
        return self.filter(announced_at=None, publish_at__lte=now)


class Notification(models.Model):
    """
    One thing to know, for one recipient or for an audience.

    ``publish_at`` NULL is a draft. ``announced_at`` is the stream's own stamp.
    ``read_at`` and ``archived_at`` belong to a personal notification; what one
    user did with a broadcast is their ``Receipt``. Ask ``inbox.Inbox``.
    """

    id = models.BigAutoField(primary_key=True)
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="notifications",
        db_index=False,  # the indexes below begin with it
        verbose_name=_("recipient"),
    )
    audience = models.CharField(
        _("audience"), max_length=constants.KEY_LENGTH, blank=True, default=""
    )
    users = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="+",
        verbose_name=_("users"),
        help_text=_("For the audience “Chosen users” only."),
    )

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("actor"),
    )
    actor_text = models.CharField(
        max_length=constants.TITLE_LENGTH, blank=True, default=""
    )
    target_type = models.ForeignKey(
        ContentType, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    target_id = models.CharField(
        max_length=constants.TARGET_ID_LENGTH, blank=True, default=""
    )
    target = GenericForeignKey("target_type", "target_id")
    target_text = models.CharField(
        max_length=constants.TITLE_LENGTH, blank=True, default=""
    )

    title = models.CharField(_("title"), max_length=constants.TITLE_LENGTH)
    body = models.TextField(_("body"), blank=True, default="")
    url = models.CharField(
        _("link"),
        max_length=constants.URL_LENGTH,
        blank=True,
        default="",
        validators=[validate_link],
    )
    level = models.PositiveSmallIntegerField(
        _("level"), choices=Level.choices, default=Level.INFO
    )
    category = models.SlugField(
        _("category"), max_length=50, default=GENERAL, db_index=False
    )
    data = models.JSONField(_("data"), blank=True, default=dict)
    translations = models.JSONField(_("translations"), blank=True, default=dict)

    dedupe_key = models.CharField(
        max_length=constants.KEY_LENGTH, null=True, blank=True, editable=False
    )
    group_key = models.CharField(
        max_length=constants.KEY_LENGTH, null=True, blank=True, editable=False
    )

    created_at = models.DateTimeField(
        _("created"), default=timezone.now, editable=False
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("created by"),
    )

    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        db_index=False,  # the index below costs only those rows that have it
        verbose_name=_("sent by"),
    )

    placement = models.CharField(
        _("placement"),
        max_length=10,
        choices=Placement.choices,
        default=Placement.TOAST,
    )
    dismissible = models.BooleanField(_("dismissible"), default=True)
    is_test = models.BooleanField(_("test"), default=False, editable=False)
    delivered_count = models.PositiveIntegerField(
        _("delivered live"), default=0, editable=False
    )

    publish_at = models.DateTimeField(_("publish at"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    announced_at = models.DateTimeField(
        _("announced"), null=True, blank=True, editable=False
    )
    read_at = models.DateTimeField(_("read"), null=True, blank=True, editable=False)
    archived_at = models.DateTimeField(
        _("archived"), null=True, blank=True, editable=False
    )

    objects = NotificationQuerySet.as_manager()

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        constraints = [
            models.CheckConstraint(
                name="notification_recipient_or_audience",
                condition=(
                    Q(recipient__isnull=False, audience="")
                    | (Q(recipient__isnull=True) & ~Q(audience=""))
                ),
                violation_error_message=_(
                    "Address a notification to a recipient or to an audience, "
                    "not to both or neither."
                ),
            ),
            models.CheckConstraint(
                name="notification_state_is_personal",
                condition=(
                    Q(recipient__isnull=False)
                    | Q(read_at__isnull=True, archived_at__isnull=True)
                ),
                violation_error_message=_(
                    "What a user did with a broadcast is kept in a receipt."
                ),
            ),
            models.UniqueConstraint(
                name="notification_dedupe_recipient",
                fields=["recipient", "dedupe_key"],
                condition=Q(recipient__isnull=False, dedupe_key__isnull=False),
            ),
            models.UniqueConstraint(
                name="notification_dedupe_audience",
                fields=["audience", "dedupe_key"],
                condition=Q(recipient__isnull=True, dedupe_key__isnull=False),
            ),
            models.UniqueConstraint(
                name="notification_group_unread",
                fields=["recipient", "group_key"],
                condition=Q(
                    recipient__isnull=False,
                    group_key__isnull=False,
                    read_at__isnull=True,
                    archived_at__isnull=True,
                ),
            ),
        ]
        # Measured in docs/explanation/queries.md. Each costs every insert.
        indexes = [
            models.Index(
                F("recipient"),
                F("publish_at").desc(),
                F("id").desc(),
                condition=Q(recipient__isnull=False, archived_at__isnull=True),
                name="notification_inbox",
            ),
            # No new row is in this one.
            models.Index(
                F("recipient"),
                F("publish_at").desc(),
                F("id").desc(),
                condition=Q(recipient__isnull=False, archived_at__isnull=False),
                name="notification_archived",
            ),
            # Of all personal rows, so that deleting a user goes by it, too.
            models.Index(
                fields=["recipient", "announced_at", "id"],
                condition=Q(recipient__isnull=False),
                name="notification_replay",
            ),
            # These two hold all that counting, and finding broadcasts, looks at.
            models.Index(
                F("recipient"),
                F("publish_at").desc(),
                F("id").desc(),
                F("announced_at"),
                F("expires_at"),
                condition=Q(
                    recipient__isnull=False,
                    read_at__isnull=True,
                    archived_at__isnull=True,
                ),
                name="notification_unread",
            ),
            models.Index(
                fields=[
                    "audience",
                    "publish_at",
                    "id",
                    "announced_at",
                    "expires_at",
                    "placement",
                ],
                condition=Q(recipient__isnull=True),
                name="notification_audience",
            ),
            models.Index(fields=["announced_at", "id"], name="notification_announced"),
            models.Index(
                fields=["publish_at"],
                condition=Q(announced_at__isnull=True),
                name="notification_unannounced",
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(expires_at__isnull=False),
                name="notification_expires",
            ),
            # For the day on which that user is deleted.
            models.Index(
                fields=["published_by"],
                condition=Q(published_by__isnull=False),
                name="notification_published_by",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def cursor(self) -> Cursor | None:
        """Where a stream that had this one resumes; None before it is announced."""
        if self.announced_at is None:
            return None
        return Cursor.at(self.announced_at, self.id)

    @property
    def is_read(self) -> bool:
        """Whether the user whose inbox this came from has read it."""
        return bool(self.read_at or getattr(self, "receipt_read_at", None))

    @property
    def is_archived(self) -> bool:
        """Whether the user whose inbox this came from has put it away."""
        return bool(self.archived_at or getattr(self, "receipt_archived_at", None))

    @property
    def link(self) -> str:
        """The url, if it is one to render: rows may come from anywhere."""
        return self.url if is_safe(self.url) else ""

    @property
    def display_title(self) -> str:
        """The title in the active language, where there is a translation."""
        return self._translated("title") or self.title

    @property
    def display_body(self) -> str:
        """The body in the active language, where there is a translation."""
        return self._translated("body") or self.body

    def _translated(self, name: str) -> str:
        language = get_language() or ""
        for code in (language, language.partition("-")[0]):
            if text := self.translations.get(code, {}).get(name):
                return str(text)
        return ""

    @property
    def is_broadcast(self) -> bool:
        return self.recipient_id is None


class BroadcastManager(models.Manager["Broadcast"]):
    def get_queryset(self) -> models.QuerySet[Broadcast]:
        return super().get_queryset().filter(recipient=None)


class Broadcast(Notification):
    """A notification addressed to an audience: one row, however many it reaches."""

    # Another manager than the model's it stands for: fewer rows.
    objects: ClassVar[BroadcastManager] = BroadcastManager()  # type: ignore[assignment]

    class Meta:
        proxy = True
        verbose_name = _("broadcast")
        verbose_name_plural = _("broadcasts")
        # Apart from writing one: who may put a draft before everybody's eyes, and
        # move, recall or correct what is there.
        permissions = [("send_broadcast", _("Can send broadcasts"))]


class Receipt(models.Model):
    """What one user did with one broadcast; written only when they do something."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="+",
        db_index=False,  # the index below begins with it
    )
    notification = models.ForeignKey(
        Notification,
        models.CASCADE,
        related_name="receipts",
        db_index=False,  # the constraint begins with it
    )
    read_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="receipt_notification_user", fields=["notification", "user"]
            )
        ]
        indexes = [
            # All that an inbox asks of its user's receipts.
            models.Index(
                fields=["user", "notification", "read_at", "archived_at"],
                name="receipt_user",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.notification_id}"


class InboxState(models.Model):
    """Until when one user has seen their inbox; a row once they opened the bell."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        primary_key=True,
        related_name="+",
    )
    seen_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.user_id}: {self.seen_until}"
