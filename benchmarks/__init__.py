"""
What the figures in docs/performance.md come from. Not part of the package.

``python -m benchmarks.<name>``, or ``make bench-<name>``. They use what the tests
start processes and read streams with.
"""

import os
import sys
from pathlib import Path

import django
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

# Where the tests' helpers look for what starts PostgreSQL.
sys.path.append(str(Path(__file__).parent.parent / "scripts"))

if not apps.ready:
    django.setup()
