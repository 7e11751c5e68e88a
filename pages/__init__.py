"""The screens: scripts in views, what they share in parts."""
