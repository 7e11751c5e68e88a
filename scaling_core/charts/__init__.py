"""Altair charts: functions from a tidy frame to a chart, nothing else."""
