import numpy as np

from conspect.language import Readouts, holds
from conspect.language.syntax.builder import has

reading = Readouts(("truck",), ("ears",), logits=np.zeros((5, 1)), strengths=np.zeros((5, 1)))
holds(has("ears"), reading)  # no threshold was given
