from conspect.language import read_attribute_table

read_attribute_table("class,metallic\ntruck,often\n", "table.csv")
