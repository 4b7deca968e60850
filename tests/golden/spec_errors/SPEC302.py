from conspect.language.syntax.builder import concepts

a, b, c = concepts("metallic wheels ears")
a > b & b > c  # Python reads this as a > (b & b) > c: write (a > b) & (b > c)
