"""Folders of images: found, read once, cached, held out in part, and doubted."""
