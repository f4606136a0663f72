"""News for people: a bell in the page, and mail where a server is set and the person wants it."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from apps.core.dispatch import enqueue
from apps.core.errors import NotFound
from apps.core.models import Notification, Project, User

log = logging.getLogger(__name__)

MAIL_TASK = "worker.core.send_news"
MOST_ATTEMPTS = 6
FIRST_WAIT = timedelta(minutes=1)
#: Whoever tries to send holds the news for so long; when it died, another tries again.
LEASE = timedelta(minutes=2)
MOST_AT_ONCE = 200
#: Read news are forgotten after so long, unread ones too in the end.
KEPT_FOR = timedelta(days=90)


def mail_is_set_up() -> bool:
    return bool(settings.EMAIL_HOST)


def notify(
    *,
    user: User,
    project: Project | None,
    key: str,
    title: str,
    text: str = "",
    url: str = "",
    tone: str = "neutral",
) -> Notification:
    """Tell a person something once: the same `key` again changes nothing. `url` is a path of ours."""
    due = timezone.now() if mail_is_set_up() and user.wants_mail and user.is_active else None
    with transaction.atomic():
        news, made = Notification.objects.get_or_create(
            user=user,
            key=key,
            defaults={
                "project": project,
                "title": title[:254],
                "text": text,
                "url": url,
                "tone": tone,
                "mail_due_at": due,
            },
        )
        if made and due is not None:
            enqueue(MAIL_TASK, queue="default", news_id=str(news.pk))
    return news


def news_of(user: User) -> QuerySet[Notification]:
    return Notification.objects.filter(user=user).select_related("project")


def unread_count(user: User) -> int:
    return Notification.objects.filter(user=user, read_at=None).count()


def news_get(*, user: User, id: UUID) -> Notification:
    found = news_of(user).filter(pk=id).first()
    if found is None:
        raise NotFound("There is no such notification.")
    return found


def news_read(*, user: User, id: UUID | None = None) -> int:
    """Mark one as read, or all of them; returns how many were not."""
    unread = Notification.objects.filter(user=user, read_at=None)
    return (unread if id is None else unread.filter(pk=id)).update(read_at=timezone.now())


def wants_mail_set(*, user: User, wants: bool) -> None:
    """News by mail or not; what is due already is not sent any more when not."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(wants_mail=wants)
        if not wants:
            Notification.objects.filter(user=user, mail_due_at__isnull=False).update(mail_due_at=None)


def news_mail(*, news_id: UUID) -> bool:
    """Send one news by mail, if it is due; in a worker. False when it was not sent.

    A server that refuses is asked again later, MOST_ATTEMPTS times. A worker that dies in between may lead to
    a second mail, never to none.
    """
    now = timezone.now()
    due = Notification.objects.filter(pk=news_id, mail_due_at__lte=now)
    if not due.update(mail_due_at=now + LEASE, mail_attempts=F("mail_attempts") + 1):
        return False
    news = Notification.objects.select_related("user", "project").get(pk=news_id)
    try:
        _mail(news).send()
    except Exception:  # whatever the mail server's client raises
        log.warning("Notification %s could not be mailed", news_id, exc_info=True)
        more = news.mail_attempts < MOST_ATTEMPTS
        wait = FIRST_WAIT * 4 ** (news.mail_attempts - 1)
        Notification.objects.filter(pk=news_id).update(mail_due_at=now + wait if more else None)
        return False
    Notification.objects.filter(pk=news_id).update(mail_due_at=None, mailed_at=timezone.now())
    return True


def news_sweep() -> None:
    """Enqueue mails that are due, and forget old news."""
    now = timezone.now()
    due = Notification.objects.filter(mail_due_at__lte=now).order_by("mail_due_at")
    for pk in due.values_list("pk", flat=True)[:MOST_AT_ONCE]:
        enqueue(MAIL_TASK, queue="default", news_id=str(pk))
    Notification.objects.filter(
        pk__in=Notification.objects.filter(created_at__lt=now - KEPT_FOR).values("pk")[:MOST_AT_ONCE]
    ).delete()


def _mail(news: Notification) -> EmailMessage:
    place = f" ({news.project.name})" if news.project else ""
    link = f"{settings.PUBLIC_URL}{news.url}" if settings.PUBLIC_URL and news.url else ""
    why = "You get this because you started it. Mail can be turned off on the page of your notifications."
    parts = [news.title, news.text, link, why]
    return EmailMessage(
        subject=f"[llmops-web] {news.title}{place}".replace("\n", " ")[:200],
        body="\n\n".join(part for part in parts if part),
        to=[news.user.email],
    )
