"""Registers: files of the administration -> checked tables, antenna patterns, countries of the sites."""
