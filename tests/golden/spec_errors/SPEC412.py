from conspect.language import from_attribute_table, read_attribute_table

from_attribute_table(read_attribute_table("class,metallic,ears\ntruck,0.4,0.3\n"))
