from conspect.language import Vocabulary, check_text

vocabulary = Vocabulary(("truck",), ("metallic", "ears"), changes=("mirror", "brightness"))
text = "property p: for 90% of x in images(truck): for all y near x (changes = birghtness): metallic > ears"
check_text(text, vocabulary).require()
