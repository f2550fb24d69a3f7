"""Images: the Marketplace, their register."""
