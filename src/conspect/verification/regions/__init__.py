"""Regions that hold real images (boxes, bands, spans, ellipsoids): how they are drawn, and how much is proved over them."""
