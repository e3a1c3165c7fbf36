"""Training on a GPU, in at most ten minutes: `python benchmarks/gpu.py [--colour DATA]`.

The course's network for 50,000 steps, 64 models, a convolutional network beside plain PyTorch that
is compiled, and the squared error on colour images, a folder or an archive, beside PCA's. Results
are written to docs/benchmarks.md. With --quick and without a GPU it tests itself on the processor.
"""

import sys

from speed.command import main

if __name__ == "__main__":
    main(["--only", "gpu", *sys.argv[1:]])
