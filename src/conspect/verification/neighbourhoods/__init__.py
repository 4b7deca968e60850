"""Neighbourhoods of real images: what ordinary changes can make of them, and what is proved there."""
