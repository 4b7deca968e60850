from conspect.language.syntax.builder import concepts

a, b, c = concepts("metallic wheels ears")
a > b > c  # Python reads this as (a > b) and (b > c): write chain(a, b, c)
