"""What the server of workers imports before the first of them is asked for, so that each has it at once.

Without the garbage collector, which would look through all that torch defines again and again: a quarter of the time.
"""

import gc

gc.disable()
import training.data.batches  # noqa: E402, F401

gc.freeze()
gc.enable()
