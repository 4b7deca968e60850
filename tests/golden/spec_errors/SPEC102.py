from conspect.language import parse

parse("#" * (1 << 20) + "\n")
