import numpy as np

from conspect.language import Readouts

Readouts(("truck", "car"), ("ears",), logits=np.zeros((5, 2)), strengths=np.zeros((4, 1)))
