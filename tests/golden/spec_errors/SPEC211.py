from conspect.language import Vocabulary, check_text

vocabulary = Vocabulary(("truck", "car"), ("metallic", "ears"), concepts_with_threshold=frozenset({"ears"}))
check_text("property p: for all x in focus(car): hasCon(x, metallic)", vocabulary).require()
