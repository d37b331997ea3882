"""Texts of the page in other languages, from English: one file each, named by the language (ISO 639)."""
