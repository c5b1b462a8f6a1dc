"""What fits this app to others that a project may have: each module needs an extra of setup.cfg."""
