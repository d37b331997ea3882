"""Answers from a published run; nothing is computed."""
