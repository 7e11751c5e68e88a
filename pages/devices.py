"""The address /devices on a server that has not run app.py yet: leads through app.py, shows nothing of its own."""

from pages.parts.route import through_app

through_app()
