from conspect.core.diagnostics import UserError
from conspect.language import parse, respell

tree = parse("property p: for 95% of x in images(truck): metallic > ears")
raise UserError(*respell(tree, "module").notes)  # notes are returned; this shows them
