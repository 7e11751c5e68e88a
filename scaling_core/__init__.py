"""Fit neural scaling laws to training runs and plan with them, without a browser."""
