"""Live notifications for Django: stored in the ORM, streamed as Server-Sent Events."""

__version__ = "0.1.0"
