/* included by planted.c of base/, which it must not be */
