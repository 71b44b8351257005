"""A message becomes events: it is read, admitted, decided and appended."""
