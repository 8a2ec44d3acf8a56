"""Laws of patterns, with the semantics of :mod:`torch.distributions`."""
