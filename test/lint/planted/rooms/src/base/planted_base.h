/* included by rule.c, which may */
