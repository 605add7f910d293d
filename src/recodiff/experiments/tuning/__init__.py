"""Searches of settings on the validation part."""
