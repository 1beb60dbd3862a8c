"""What surrounds preparation: the command line. Uses ``preprocess`` by its front door only."""
