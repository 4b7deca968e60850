from conspect.language import parse

parse("$\n" * 101)
