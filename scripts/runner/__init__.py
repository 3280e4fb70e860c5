"""What runs, renders and publishes the notebooks. The analysis itself is in notebooks/."""
