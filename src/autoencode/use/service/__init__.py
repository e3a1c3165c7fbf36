"""Trained models as a service over HTTP; needs `pip install "autoencode[serve]"`."""
