/*
 * Not formatted as "make format" would.
 */
static int planted = 1;
