import numpy as np

from conspect.language import Reading, holds
from conspect.language.builder import has

reading = Reading(("truck",), ("ears",), logits=np.zeros((5, 1)), strengths=np.zeros((5, 1)))
holds(has("ears"), reading)  # no threshold was given
