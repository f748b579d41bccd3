"""A picture through a network: sessions, engines, transforms, int8."""
