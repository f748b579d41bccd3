"""Pages and sheets for people: gallery, evaluation, batch, contact sheet."""
