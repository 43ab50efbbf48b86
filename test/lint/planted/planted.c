/*
 * Mistakes on purpose: each tool of "make lint" has to find its own.
 */
extern int	planted(int which);

int
planted(int which)
{
	int		   *nowhere = 0;
	int			shadowed = which;

	if (which > 1)
	{
		int			shadowed = which + 1;	/* -Wshadow */

		which += shadowed;
	}
	return shadowed + *nowhere;		/* a null pointer */
}
