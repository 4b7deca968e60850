from conspect.language import Vocabulary, check_text

vocabulary = Vocabulary(("truck", "car"), ("metallic", "ears"), splits=("train", "test"))
check_text('property p: for 95% of x in images(car, split = "tset"): metallic > ears', vocabulary).require()
