"""Altair charts: functions from a tidy frame to a chart, nothing else."""

from altair.utils import schemapi

# Altair checks every part of a chart against its schema as it is built: 250 ms for our main chart. The whole chart
# is checked once more when it is drawn, and each chart function by a test.
schemapi.DEBUG_MODE = False
