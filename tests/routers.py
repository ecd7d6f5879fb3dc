"""Routers of projects with more than one database."""


class ReplicaThatIsAway:
    """Reads of all but sessions go to a database that cannot be asked."""

    def db_for_read(self, model, **hints):
        return None if model._meta.app_label == "sessions" else "away"

    def db_for_write(self, model, **hints):
        return "default"
