"""Closed-form and neighbourhood models over item-item weights."""
