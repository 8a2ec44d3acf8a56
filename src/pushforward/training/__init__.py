"""Games, and the one loop that plays them."""
