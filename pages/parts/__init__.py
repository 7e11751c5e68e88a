"""Controls and panels that several pages share."""
