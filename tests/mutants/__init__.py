"""Bugs the field has had, planted one at a time, each with the law that must catch it."""
