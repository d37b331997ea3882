"""Styles and projects for QGIS."""
