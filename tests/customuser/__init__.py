"""Users unlike Django's: a UUID as key, an email instead of a username."""
