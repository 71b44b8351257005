"""Tools for developing Accord; not part of the installed application."""
