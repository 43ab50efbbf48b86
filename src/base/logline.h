/*-------------------------------------------------------------------------
 *
 * logline.h
 *		Writes to the server log where no error may be raised.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_LOGLINE_H
#define SSLPOLICY_LOGLINE_H

extern void log_line(const char *line, const char *detail);

#endif							/* SSLPOLICY_LOGLINE_H */
