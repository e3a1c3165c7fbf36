"""Autoencoders as estimators of scikit-learn: codes of rows, and anomalies among rows.

from autoencode.sklearn import AutoencoderDetector, AutoencoderTransformer
"""

from autoencode.sklearn.detector import AutoencoderDetector
from autoencode.sklearn.messages import EstimatorError
from autoencode.sklearn.transformer import AutoencoderTransformer

__all__ = ["AutoencoderDetector", "AutoencoderTransformer", "EstimatorError"]
