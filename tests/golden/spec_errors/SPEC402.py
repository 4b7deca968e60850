from conspect.language import write_formula
from conspect.language.syntax.tree import And, Predict

write_formula(And((Predict("truck"),)))  # a conjunction of one
