from conspect.language import Vocabulary, check_text

vocabulary = Vocabulary(("truck", "car"), ("metallic", "ears"), classes_with_data=frozenset({"truck"}))
check_text("property p: for all x in focus(car): metallic > ears", vocabulary).require()
