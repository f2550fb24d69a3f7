"""The Marketplace, the catalogue of images."""
